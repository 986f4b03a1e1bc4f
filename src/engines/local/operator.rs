//! Our own physical operators under DataFusion: a frame that holds inputs and properties, and a table that reads a plan.
//!
//! In: physical plans and a [`Run`], what to do with their streams. Out: an `ExecutionPlan`, or through [`Planned`] a
//! `TableProvider` that logical plans build on. Rows come in no order. A `Run` may hold what its partitions share, so a
//! plan made of these is executed once; every scan of a [`Planned`] gets its own.

use std::fmt;
use std::sync::Arc;

use deltalake::arrow::datatypes::SchemaRef;
use deltalake::datafusion::catalog::{Session, TableProvider};
use deltalake::datafusion::common::Result;
use deltalake::datafusion::common::tree_node::TreeNodeRecursion;
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::logical_expr::{Expr, TableType};
use deltalake::datafusion::physical_expr::expressions::Column;
use deltalake::datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use deltalake::datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, reset_plan_states,
};
use deltalake::datafusion::physical_plan::projection::ProjectionExec;
use deltalake::datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};

/// What an operator does for one partition.
pub(super) trait Run: fmt::Debug + Send + Sync {
    fn run(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream>;

    /// The same, with nothing remembered of an execution.
    fn fresh(&self) -> Arc<dyn Run>;
}

/// A physical operator with as many partitions as its first input, or as said.
#[derive(Debug)]
pub(super) struct Operator {
    name: &'static str,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
    run: Arc<dyn Run>,
}

impl Operator {
    pub(super) fn new(
        name: &'static str,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
        n_partitions: usize,
        run: Arc<dyn Run>,
    ) -> Self {
        let n_partitions = inputs.first().map_or(n_partitions, |input| input.output_partitioning().partition_count());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(n_partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Operator { name, inputs, properties: Arc::new(properties), run }
    }
}

impl DisplayAs for Operator {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {:?}", self.name, self.run)
    }
}

impl ExecutionPlan for Operator {
    fn name(&self) -> &str {
        self.name
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let n_partitions = self.properties.partitioning.partition_count();
        Ok(Arc::new(Operator::new(self.name, children, self.schema(), n_partitions, Arc::clone(&self.run))))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let n_partitions = self.properties.partitioning.partition_count();
        Ok(Arc::new(Operator::new(self.name, self.inputs.clone(), self.schema(), n_partitions, self.run.fresh())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.run.run(&self.inputs, partition, context)
    }
}

/// A physical plan as a table.
#[derive(Debug)]
pub(super) struct Planned(pub(super) Arc<dyn ExecutionPlan>);

#[async_trait::async_trait]
impl TableProvider for Planned {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = reset_plan_states(Arc::clone(&self.0))?;
        let Some(projection) = projection else { return Ok(plan) };
        let schema = plan.schema();
        let columns = projection.iter().map(|place| {
            let name = schema.field(*place).name();
            (Arc::new(Column::new(name, *place)) as Arc<dyn PhysicalExpr>, name.clone())
        });
        Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), plan)?))
    }
}
