//! Diagnostics on their way through plans.

use deltalake::datafusion::physical_plan::Partitioning;
use deltalake::datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use deltalake::datafusion::physical_plan::repartition::RepartitionExec;

use super::*;

#[test]
fn a_diagnostic_is_found_behind_operators_that_wrap_errors() {
    let dir = folder(&[("a.csv", b"a,b\n1,2\n3\n")]);
    let source = ingest("a.csv", Reader::Delimited(csv()));
    let files = list(&source, dir.path()).expect("there");
    let session = SessionContext::new();
    let state = session.state();
    let context = ScanContext {
        project_dir: dir.path(),
        run_id: "run",
        started_at: 0,
        n_partitions: 2,
        rejected: Arc::default(),
        session: &state,
    };
    let leaf = run(scan(&source, &files, None, &context)).expect("a plan");
    let spread = RepartitionExec::try_new(leaf, Partitioning::RoundRobinBatch(3)).expect("a plan");
    let plan: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(Arc::new(spread)));
    let error = run(collect(Arc::clone(&plan), session.task_ctx())).expect_err("a ragged row");
    let error = DataFusionError::ArrowError(
        Box::new(deltalake::arrow::error::ArrowError::ExternalError(Box::new(error.context("writing")))),
        None,
    );
    let diagnostic = diagnostic_of(&error).expect("a diagnostic");
    assert_eq!(diagnostic.code, code::RAGGED_ROW);
    assert_eq!(context.rejected.n_rows(), 1);
}
