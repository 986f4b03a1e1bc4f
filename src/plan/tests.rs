//! Each rule of planning on a small graph, against the state that a first apply leaves.

use indexmap::IndexMap;

use super::*;
use crate::diagnostic::{Site, SourceId};
use crate::ir::deployment::Deployment;
use crate::ir::{
    Assertion, Column, Contract, ContractColumn, DataType, Dataset, Dimension, Ingest, Input, OnViolation, Operation,
    Reader, Relation, SchemaEvolution, Sql, Test, Write,
};
use crate::name::TableName;
use crate::state::Commit;

fn name(text: &str) -> TableName {
    TableName::parse(text).expect("a table name")
}

fn site() -> Site {
    Site::root(SourceId(0))
}

fn sql(text: &str) -> Sql {
    Sql { text: text.into(), site: site(), authored: true }
}

fn node(table: &str, mode: WriteMode, body: Body) -> Node {
    Node {
        name: name(table),
        site: site(),
        description: None,
        tags: Vec::new(),
        owner: None,
        body,
        contract: None,
        write: Write {
            mode,
            cluster_by: Vec::new(),
            partition_by: Vec::new(),
            schema_evolution: SchemaEvolution::Evolve,
        },
        assertions: Vec::new(),
        dataset: None,
        feature_table: None,
        prevent_destroy: false,
        defaults: Vec::new(),
        on_databricks: crate::ir::OnDatabricks::default(),
    }
}

fn ingest(table: &str, mode: WriteMode) -> Node {
    let body = Body::Ingest(Ingest {
        location: "data/*.parquet".to_owned(),
        location_site: site(),
        reader: Reader::Parquet,
        metadata_columns: Vec::new(),
    });
    node(table, mode, body)
}

fn query(table: &str, mode: WriteMode, text: &str) -> Node {
    node(table, mode, Body::Relation(Relation { input: Input::Query(sql(text)), operations: Vec::new() }))
}

fn merge() -> WriteMode {
    WriteMode::Merge { keys: vec!["id".to_owned()] }
}

/// A graph in the order of the nodes given; each reads the nodes at these places.
fn project(nodes: Vec<(Node, &[u32])>) -> Checked {
    let inputs = nodes.iter().map(|(_, inputs)| inputs.iter().copied().map(NodeId).collect()).collect();
    let order = (0..u32::try_from(nodes.len()).expect("a small graph")).map(NodeId).collect();
    let nodes: IndexMap<_, _> = nodes.into_iter().map(|(node, _)| (node.name.clone(), node)).collect();
    let typed = vec![crate::check::Typed::default(); nodes.len()];
    Checked {
        graph: Graph {
            compared: vec![Vec::new(); nodes.len()],
            nodes,
            inputs,
            order,
            layers: Vec::new(),
            deployment: Deployment::default(),
        },
        typed: typed.into_iter().map(std::sync::Arc::new).collect(),
    }
}

/// bronze.a (overwritten) → silver.b, and bronze.a → silver.v (a view) → gold.c.
fn chain() -> Checked {
    project(vec![
        (ingest("bronze.a", WriteMode::Overwrite), &[]),
        (query("silver.b", WriteMode::Overwrite, "SELECT * FROM bronze.a"), &[0]),
        (query("silver.v", WriteMode::View, "SELECT * FROM bronze.a WHERE x > 0"), &[0]),
        (query("gold.c", merge(), "SELECT * FROM silver.v"), &[2]),
    ])
}

fn files(stamps: &[(&str, i64)]) -> Vec<SourceFile> {
    stamps.iter().map(|(path, stamp)| SourceFile { path: (*path).to_owned(), size_bytes: 1, stamp: *stamp }).collect()
}

fn with_files(table: &str, stamps: &[(&str, i64)]) -> State {
    State { sources: [(name(table), files(stamps))].into(), ..State::default() }
}

/// Does what the engine promises to do for a plan.
fn apply(checked: &Checked, state: &mut State, plan: &Plan) {
    for action in &plan.actions {
        let node = checked.graph.node(action.node);
        if node.write.mode == WriteMode::View {
            continue;
        }
        let sources = state.sources.get(&node.name).cloned().unwrap_or_default();
        let inputs = stored_inputs(&checked.graph, action.node)
            .into_iter()
            .map(|input| {
                let input = &checked.graph.node(input).name;
                (input.to_string(), state.tables.get(input).expect("inputs come first").version)
            })
            .collect();
        let version = state.tables.get(&node.name).map_or(0, |table| table.version + 1);
        let commit = Commit {
            version,
            fingerprint: action.fingerprint.clone(),
            inputs,
            run_id: String::new(),
            git_sha: None,
            source_stamp: Some(source_stamp(&sources)),
            restored_version: None,
            definition: node.dataset.as_ref().map(dataset_definition),
            project: None,
            change: Some(action.change.word().to_owned()),
            parts: Some(serde_json::to_string(&definition::parts(&checked.graph, action.node)).expect("JSON")),
        };
        let ingested = sources.into_iter().map(|file| (file.path, file.stamp)).collect();
        let table = TableState { version, commit: Some(commit), written_by_others: false, stored: None, ingested };
        state.tables.insert(node.name.clone(), table);
    }
}

fn planned(checked: &Checked, state: &State) -> Vec<(String, Change, Vec<Reason>)> {
    planned_with(checked, state, &Options::default())
}

fn planned_with(checked: &Checked, state: &State, options: &Options) -> Vec<(String, Change, Vec<Reason>)> {
    let plan = plan(checked, state, options, &mut Diagnostics::new()).expect("a plan");
    plan.actions
        .into_iter()
        .map(|action| (checked.graph.node(action.node).name.to_string(), action.change, action.reasons))
        .collect()
}

/// The state after a first apply.
fn applied(checked: &Checked, mut state: State) -> State {
    let plan = plan(checked, &state, &Options::default(), &mut Diagnostics::new()).expect("a plan");
    apply(checked, &mut state, &plan);
    state
}

fn input_planned(input: &str) -> Reason {
    Reason::InputPlanned { input: input.to_owned() }
}

#[test]
fn everything_is_created_once_and_then_unchanged() {
    let checked = chain();
    let state = with_files("bronze.a", &[("data/1.parquet", 1)]);
    let created: Vec<_> = planned(&checked, &state).into_iter().map(|(table, change, _)| (table, change)).collect();
    let expected = ["bronze.a", "silver.b", "gold.c"].map(|table| (table.to_owned(), Change::Create));
    assert_eq!(created, expected);

    let state = applied(&checked, state);
    let plan = plan(&checked, &state, &Options::default(), &mut Diagnostics::new()).expect("a plan");
    assert!(plan.actions.is_empty());
    assert_eq!(plan.unchanged.len(), 4);
}

#[test]
fn changed_files_rebuild_an_overwritten_ingest_and_all_that_reads_it() {
    let checked = chain();
    let mut state = applied(&checked, with_files("bronze.a", &[("1", 1), ("2", 1)]));
    state.sources.insert(name("bronze.a"), files(&[("2", 5), ("3", 1)]));
    assert_eq!(
        planned(&checked, &state),
        [
            (
                "bronze.a".to_owned(),
                Change::Rebuild,
                vec![Reason::FilesChanged { n_added: 1, n_changed: 1, n_gone: 1 }]
            ),
            ("silver.b".to_owned(), Change::Rebuild, vec![input_planned("bronze.a")]),
            ("gold.c".to_owned(), Change::Merge, vec![input_planned("bronze.a")]),
        ]
    );
}

#[test]
fn a_newer_input_is_read_again_also_through_a_view() {
    let checked = chain();
    let mut state = applied(&checked, with_files("bronze.a", &[("1", 1)]));
    state.tables.get_mut(&name("bronze.a")).expect("applied").version = 7;
    let changed = Reason::InputChanged { input: "bronze.a".to_owned(), from_version: Some(0), to_version: Some(7) };
    assert_eq!(
        planned(&checked, &state),
        [
            ("silver.b".to_owned(), Change::Rebuild, vec![changed.clone()]),
            ("gold.c".to_owned(), Change::Merge, vec![changed]),
        ]
    );
}

#[test]
fn a_view_is_never_written_but_its_definition_rebuilds_its_readers() {
    let state = applied(&chain(), with_files("bronze.a", &[("1", 1)]));
    let mut checked = chain();
    let view = checked.graph.nodes.get_mut(&name("silver.v")).expect("the view");
    *view = query("silver.v", WriteMode::View, "SELECT * FROM bronze.a WHERE x > 1");
    assert_eq!(planned(&checked, &state), [("gold.c".to_owned(), Change::Rebuild, vec![Reason::DefinitionChanged])]);
}

#[test]
fn appended_files_are_read_once() {
    let checked = project(vec![(ingest("bronze.a", WriteMode::Append), &[])]);
    let mut state = applied(&checked, with_files("bronze.a", &[("1", 1), ("2", 1)]));
    state.sources.insert(name("bronze.a"), files(&[("2", 1), ("3", 1), ("4", 1)]));
    let added = Reason::FilesChanged { n_added: 2, n_changed: 0, n_gone: 0 };
    assert_eq!(planned(&checked, &state), [("bronze.a".to_owned(), Change::Append { n_files: 2 }, vec![added])]);
}

#[test]
fn a_changed_file_that_was_appended_is_warned_of_unless_all_is_read_again() {
    let checked = project(vec![(ingest("bronze.a", WriteMode::Append), &[])]);
    let mut state = applied(&checked, with_files("bronze.a", &[("1", 1)]));
    state.sources.insert(name("bronze.a"), files(&[("1", 2)]));

    let mut diagnostics = Diagnostics::new();
    let unchanged = plan(&checked, &state, &Options::default(), &mut diagnostics).expect("a plan");
    assert!(unchanged.actions.is_empty());
    assert_eq!(diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(), [code::SOURCE_CHANGED]);

    let mut diagnostics = Diagnostics::new();
    let refresh = Options { full_refresh: true, ..Options::default() };
    let rebuilt = plan(&checked, &state, &refresh, &mut diagnostics).expect("a plan");
    assert_eq!(rebuilt.actions.len(), 1);
    assert!(diagnostics.is_empty());
}

#[test]
fn a_table_that_others_wrote_is_rebuilt_when_it_is_overwritten_only() {
    let checked = chain();
    let mut state = applied(&checked, with_files("bronze.a", &[("1", 1)]));
    for table in ["silver.b", "gold.c"] {
        state.tables.get_mut(&name(table)).expect("applied").written_by_others = true;
    }
    let foreign = Reason::WrittenByOthers { version: 0 };
    assert_eq!(planned(&checked, &state), [("silver.b".to_owned(), Change::Rebuild, vec![foreign])]);
}

#[test]
fn a_full_refresh_rebuilds_what_is_selected() {
    let checked = chain();
    let state = applied(&checked, with_files("bronze.a", &[("1", 1)]));
    let options = Options { full_refresh: true, selection: Some([NodeId(3)].into()), ..Options::default() };
    assert_eq!(
        planned_with(&checked, &state, &options),
        [("gold.c".to_owned(), Change::Rebuild, vec![Reason::Requested])]
    );
}

#[test]
fn a_selected_table_needs_its_inputs() {
    let checked = chain();
    let options = Options { selection: Some([NodeId(1)].into()), ..Options::default() };
    let mut diagnostics = Diagnostics::new();
    let state = with_files("bronze.a", &[("1", 1)]);
    assert!(plan(&checked, &state, &options, &mut diagnostics).is_err());
    assert_eq!(diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(), [code::NOT_BUILT]);
}

#[test]
fn a_published_dataset_keeps_its_definition() {
    let dataset = |features: &[&str]| {
        let mut node = query("gold_ml.churn_v1", WriteMode::Overwrite, "SELECT 1");
        node.dataset = Some(Dataset {
            model: "churn".to_owned(),
            version: 1,
            source_table: name("gold.c"),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
            target: "churned".to_owned(),
        });
        project(vec![(node, &[])])
    };
    let state = applied(&dataset(&["a", "b"]), State::default());
    assert!(planned(&dataset(&["a", "b"]), &state).is_empty());
    let mut diagnostics = Diagnostics::new();
    assert!(plan(&dataset(&["b", "a"]), &state, &Options::default(), &mut diagnostics).is_err());
    assert_eq!(diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(), [code::DATASET_REDEFINED]);
}

#[test]
fn a_fingerprint_is_of_what_changes_rows_and_of_nothing_else() {
    let table = |change: fn(&mut Node)| {
        let mut node = query("silver.b", WriteMode::Overwrite, "SELECT a, b FROM bronze.a");
        let column = Column { name: "a".to_owned(), data_type: DataType::Int, nullable: true };
        node.contract = Some(std::sync::Arc::new(Contract {
            name: "b".to_owned(),
            version: None,
            description: None,
            owner: None,
            primary_key: Vec::new(),
            columns: vec![ContractColumn { column, description: None, tags: Vec::new(), site: site() }],
            on_cast_failure: OnViolation::Fail,
            timezone: None,
            site: site(),
        }));
        for on_violation in [OnViolation::Warn, OnViolation::Drop] {
            node.assertions.push(Assertion {
                kind: "expression",
                label: String::new(),
                columns: Vec::new(),
                arguments: serde_json::Value::Null,
                dimension: Dimension::Consistency,
                test: Test::Row { considered: None, violated: sql("a < 0") },
                on_violation,
                severity: None,
                mostly: 1.0,
                filter: None,
                description: None,
                owner: None,
                site: site(),
            });
        }
        change(&mut node);
        let checked = project(vec![(node, &[])]);
        (fingerprints(&checked.graph).remove(0), definition::definition(&checked.graph, NodeId(0)))
    };
    fn contract(node: &mut Node) -> &mut Contract {
        std::sync::Arc::make_mut(node.contract.as_mut().expect("a contract"))
    }
    fn relation(node: &mut Node) -> &mut Relation {
        match &mut node.body {
            Body::Relation(relation) => relation,
            Body::Ingest(_) => unreachable!("a relation"),
        }
    }
    let same: [fn(&mut Node); 6] = [
        |_| {},
        |node| node.description = Some("words".to_owned()),
        |node| contract(node).version = Some("2.0.0".to_owned()),
        |node| node.assertions.swap(0, 1),
        |node| drop(node.assertions.remove(0)),
        |node| relation(node).input = Input::Query(sql("SELECT a,\n  b\nFROM bronze.a")),
    ];
    let before = table(|_| {});
    assert!(before.0.starts_with("1:"));
    for (index, change) in same.into_iter().enumerate() {
        assert_eq!(table(change), before, "change {index}");
    }
    let other: [fn(&mut Node); 6] = [
        |node| contract(node).columns[0].column.nullable = false,
        |node| contract(node).on_cast_failure = OnViolation::Drop,
        |node| drop(node.assertions.remove(1)),
        |node| node.write.mode = WriteMode::Merge { keys: vec!["a".to_owned()] },
        |node| relation(node).operations.push(Operation::Filter(sql("a > 0"))),
        |node| relation(node).input = Input::Query(sql("SELECT b, a FROM bronze.a")),
    ];
    for (index, change) in other.into_iter().enumerate() {
        let after = table(change);
        assert_ne!(after.0, before.0, "change {index}");
        assert_eq!(definition::between(&before.1, &after.1).len(), 1 + usize::from(index == 3), "change {index}");
    }
}

#[test]
fn a_changed_definition_names_its_parts_a_views_among_them() {
    let state = applied(&chain(), with_files("bronze.a", &[("1", 1)]));
    let mut checked = chain();
    let view = checked.graph.nodes.get_mut(&name("silver.v")).expect("the view");
    *view = query("silver.v", WriteMode::View, "SELECT * FROM bronze.a WHERE x > 1");
    let planned = plan(&checked, &state, &Options::default(), &mut Diagnostics::new()).expect("a plan");
    let [action] = planned.actions.as_slice() else { unreachable!("{planned:?}") };
    let [part] = action.definition.as_slice() else { unreachable!("{action:?}") };
    assert_eq!(part.part, "silver.v: query");
    assert_eq!(part.to.as_deref(), Some("select * from bronze . a where x > 1"));
}

#[test]
fn a_merged_table_loses_what_its_inputs_may_not_give_again() {
    let losses = |state: &State| {
        let mut checked = chain();
        let node = checked.graph.nodes.get_mut(&name("gold.c")).expect("the table");
        *node = query("gold.c", merge(), "SELECT *, 1 AS one FROM silver.v");
        let planned = plan(&checked, state, &Options::default(), &mut Diagnostics::new()).expect("a plan");
        planned.actions.into_iter().flat_map(|action| action.losses).collect::<Vec<_>>()
    };
    let mut state = applied(&chain(), with_files("bronze.a", &[("1", 1)]));
    assert_eq!(losses(&state), []);
    // Rows were merged since it was written as a whole.
    let change = |state: &mut State, word: &str| {
        let commit = state.tables.get_mut(&name("gold.c")).and_then(|table| table.commit.as_mut());
        commit.expect("applied").change = Some(word.to_owned());
    };
    change(&mut state, "merge");
    assert_eq!(losses(&state), [Loss::EarlierRows]);
    // Its input is another than the one that it was written from.
    change(&mut state, "rebuild");
    state.tables.get_mut(&name("bronze.a")).expect("applied").version = 1;
    assert_eq!(losses(&state), [Loss::EarlierRows]);
}

#[test]
fn an_appended_table_loses_the_rows_of_files_that_are_gone() {
    let checked = project(vec![(ingest("bronze.a", WriteMode::Append), &[])]);
    let mut state = applied(&checked, with_files("bronze.a", &[("1", 1), ("2", 1), ("3", 1)]));
    state.sources.insert(name("bronze.a"), files(&[("2", 5), ("3", 1)]));
    let refresh = Options { full_refresh: true, ..Options::default() };
    let planned = plan(&checked, &state, &refresh, &mut Diagnostics::new()).expect("a plan");
    assert_eq!(planned.actions[0].losses, [Loss::Files { n_files: 2 }]);
}

#[test]
fn what_others_did_is_drift() {
    let checked = chain();
    let mut state = applied(&checked, with_files("bronze.a", &[("1", 1)]));
    let found = |state: &State| drift::find(&checked.graph, state, |_| true);
    assert_eq!(found(&state), []);
    state.tables.get_mut(&name("gold.c")).expect("applied").written_by_others = true;
    state.tables.remove(&name("bronze.a"));
    let kinds: Vec<_> = found(&state).into_iter().map(|drift| (drift.table.to_string(), drift.kind)).collect();
    let dropped = drift::Kind::Dropped { reader: "gold.c".to_owned(), version: 0 };
    let written = drift::Kind::Written { version: 0, medc_version: Some(0) };
    assert_eq!(kinds, [("bronze.a".to_owned(), dropped), ("gold.c".to_owned(), written)]);
}
