//! A dump between shipped and judged migrations: the schema becomes what it shows, what is known of rows stays.

use std::sync::Arc;

use super::{Follows, Replay};
use crate::history::Migration;
use crate::read::dynamic::Variables;
use crate::schema::Told;

impl Replay<'_> {
    pub(super) fn take_dump(&mut self, migration: &Migration, told: Told) {
        self.steps_left = super::STEP_BUDGET;
        let history = self.state.schema.clone();
        let session = std::mem::take(&mut self.session);
        self.state.schema = Arc::new(history.for_dump());
        self.follows = Follows::Schema;
        for node in &migration.up.nodes {
            self.node(node, &mut Variables::default());
        }
        self.commit();
        self.follows = Follows::SchemaAndData;
        let mut schema = history.as_dumped(&self.state.schema, told);
        schema.dispute(&history);
        self.session = session;
        schema.search_path = self.session.search_path();
        self.state.edit_data().take_dump(&schema);
        self.state.schema = Arc::new(schema);
        // Nobody sees a dump being read.
        self.unit_steps.clear();
        self.migration_steps.clear();
        self.unit_start = self.state.clone();
    }
}
