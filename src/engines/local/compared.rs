//! The tables that a node's assertions look at, registered beside those that its rows come from.
//!
//! In: a node whose rows are planned. Out: its run's context with these tables at their newest versions, and with
//! `quality.results` where it is mentioned. They are no inputs: the table is not rebuilt when they change.

use std::sync::Arc;

use deltalake::datafusion::catalog::TableProvider;
use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::datafusion::datasource::MemTable;
use deltalake::datafusion::logical_expr::{Expr, ident};
use deltalake::datafusion::scalar::ScalarValue;

use crate::engines::local::relation::Building;
use crate::engines::local::table;
use crate::ir::{NodeId, Reference, Sql, Test, results};
use crate::sql::types;

impl Building<'_> {
    /// Registers what the node's assertions look at. Its rows have to be planned before, since versions that are read from
    /// here on are not its inputs'.
    pub(super) async fn compared(&mut self, id: NodeId) -> Result<()> {
        for table in &self.checked.graph.compared[id.index()] {
            self.register(*table).await?;
        }
        let mentions = |sql: &Sql| sql.text.to_lowercase().contains("results");
        let needs_results = self.checked.graph.node(id).assertions.iter().any(|assertion| match &assertion.test {
            Test::Query(sql) | Test::Aggregate { holds: sql, .. } => mentions(sql),
            Test::Reference { table, .. } => table.name == results::table(),
            Test::Distribution(distribution) => match &distribution.reference {
                Reference::Column { table, .. } => table.name == results::table(),
                Reference::Categories(_) | Reference::Bins { .. } => false,
            },
            Test::Row { .. } | Test::Holds(_) | Test::Window { .. } | Test::Unique { .. } | Test::Columns(_) => false,
        });
        if needs_results && self.checked.graph.find(&results::table()).is_none() {
            self.register_results().await?;
        }
        Ok(())
    }

    /// Registers the ledger of expectations, with the columns that this release has; empty before the first run.
    async fn register_results(&self) -> Result<()> {
        let name = results::table();
        let folder = self.settings.warehouse.folder(&name);
        let wanted = types::to_arrow_schema(&results::schema());
        let opened = table::open(&folder).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let provider = match opened {
            None => Arc::new(MemTable::try_new(Arc::new(wanted), vec![vec![]])?) as Arc<dyn TableProvider>,
            Some(opened) => {
                let frame = self.context.read_table(table::readable(self.context, &folder, &opened).await?.provider)?;
                let columns = wanted.fields().iter().map(|field| {
                    if frame.schema().has_column_with_unqualified_name(field.name()) {
                        return Ok(ident(field.name()));
                    }
                    let null = ScalarValue::try_from(field.data_type())?;
                    Ok(Expr::Literal(null, None).alias(field.name()))
                });
                let columns: Vec<Expr> = columns.collect::<Result<_>>()?;
                frame.select(columns)?.into_view()
            }
        };
        self.put(&name, provider)
    }
}
