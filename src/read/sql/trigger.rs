//! Triggers, rules and policies.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use super::statement;
use crate::operation::{
    CreateRule, CreateTrigger, Operation, Policy, Reach, RuleEvent, Statement, TriggerEvents, TriggerTiming, Unread,
};

impl Cursor<'_> {
    /// After CREATE [OR REPLACE] [CONSTRAINT] TRIGGER.
    pub fn create_trigger(&mut self, or_replace: bool, constraint: bool) -> Read<Operation> {
        let name = self.ident()?;
        let timing = self.timing()?;
        let events = self.trigger_events()?;
        self.expect("on")?;
        let table = self.name()?;
        let mut trigger = CreateTrigger {
            name,
            or_replace,
            constraint,
            table,
            from: None,
            timing,
            events,
            for_each_row: false,
            when: None,
            function: crate::operation::Name::bare(""),
            arguments: Vec::new(),
            old_table: None,
            new_table: None,
            deferrable: false,
            initially_deferred: false,
        };
        if constraint && self.eat("from") {
            trigger.from = Some(self.name()?);
        }
        if constraint {
            self.deferral(&mut trigger);
        }
        if self.eat("referencing") {
            self.transition_tables(&mut trigger)?;
        }
        if self.eat("for") {
            self.eat("each");
            trigger.for_each_row = self.eat("row");
            if !trigger.for_each_row {
                self.expect("statement")?;
            }
        }
        if self.eat("when") {
            trigger.when = Some(self.expression_in_parens()?);
        }
        self.expect("execute")?;
        if !self.eat_any(&["function", "procedure"]) {
            return Err(self.refuse("FUNCTION"));
        }
        trigger.function = self.loose_name()?;
        trigger.arguments = self.trigger_arguments()?;
        Ok(Operation::CreateTrigger(Box::new(trigger)))
    }

    fn timing(&mut self) -> Read<TriggerTiming> {
        if self.eat("before") {
            return Ok(TriggerTiming::Before);
        }
        if self.eat("after") {
            return Ok(TriggerTiming::After);
        }
        self.expect("instead of")?;
        Ok(TriggerTiming::InsteadOf)
    }

    fn trigger_events(&mut self) -> Read<TriggerEvents> {
        let mut events = TriggerEvents::default();
        loop {
            if self.eat("insert") {
                events.insert = true;
            } else if self.eat("delete") {
                events.delete = true;
            } else if self.eat("truncate") {
                events.truncate = true;
            } else {
                self.expect("update")?;
                events.update = true;
                if self.eat("of") {
                    events.update_columns = self.list(Cursor::ident)?;
                }
            }
            if !self.eat("or") {
                return Ok(events);
            }
        }
    }

    fn deferral(&mut self, trigger: &mut CreateTrigger) {
        loop {
            if self.eat("not deferrable") {
                trigger.deferrable = false;
            } else if self.eat("deferrable") {
                trigger.deferrable = true;
            } else if self.eat("initially deferred") {
                trigger.deferrable = true;
                trigger.initially_deferred = true;
            } else if !self.eat("initially immediate") {
                return;
            }
        }
    }

    fn transition_tables(&mut self, trigger: &mut CreateTrigger) -> Read<()> {
        loop {
            let new = self.eat("new");
            if !new && !self.eat("old") {
                return Ok(());
            }
            self.expect("table")?;
            self.eat("as");
            let name = Some(self.ident()?);
            if new {
                trigger.new_table = name;
            } else {
                trigger.old_table = name;
            }
        }
    }

    fn trigger_arguments(&mut self) -> Read<Vec<std::sync::Arc<str>>> {
        self.expect_kind(Kind::OpenParen, "(")?;
        if self.eat_kind(Kind::CloseParen) {
            return Ok(Vec::new());
        }
        let arguments = self.list(|cursor| {
            if cursor.is_string() {
                return cursor.string();
            }
            if cursor.kind() == Some(Kind::Number) {
                return cursor.number();
            }
            Ok(cursor.label()?.as_str().into())
        })?;
        self.expect_kind(Kind::CloseParen, ")")?;
        Ok(arguments)
    }

    /// After CREATE [OR REPLACE] RULE.
    pub fn create_rule(&mut self, or_replace: bool) -> Read<Operation> {
        let name = self.ident()?;
        self.expect("as on")?;
        let events = [
            ("select", RuleEvent::Select),
            ("insert", RuleEvent::Insert),
            ("update", RuleEvent::Update),
            ("delete", RuleEvent::Delete),
        ];
        let found = events.into_iter().find(|(word, _)| self.eat(word));
        let Some((_, event)) = found else { return Err(self.refuse("SELECT, INSERT, UPDATE or DELETE")) };
        self.expect("to")?;
        let table = self.name()?;
        let condition = if self.eat("where") { Some(self.expression_until(&["do"])?) } else { None };
        self.expect("do")?;
        let instead = self.eat("instead");
        if !instead {
            self.eat("also");
        }
        let commands = self.rule_commands();
        Ok(Operation::CreateRule(Box::new(CreateRule {
            name,
            or_replace,
            table,
            event,
            instead,
            condition,
            commands: commands?,
        })))
    }

    fn rule_commands(&mut self) -> Read<Vec<Statement>> {
        if self.eat("nothing") {
            return Ok(Vec::new());
        }
        let mut places = self.place()..self.end_place();
        if self.kind() == Some(Kind::OpenParen) && !self.opens_query() {
            places = self.parens()?;
        } else {
            self.go_to(places.end);
        }
        if places.is_empty() {
            return Err(self.refuse("a command"));
        }
        let mut commands = Vec::new();
        let mut from = places.start;
        let mut depth = 0_usize;
        for place in places.clone() {
            match self.tokens(place..place + 1)[0].kind {
                Kind::OpenParen => depth += 1,
                Kind::CloseParen => depth = depth.saturating_sub(1),
                Kind::Semicolon if depth == 0 => {
                    commands.extend(self.nested(from..place));
                    from = place + 1;
                }
                _ => {}
            }
        }
        commands.extend(self.nested(from..places.end));
        Ok(commands)
    }

    /// `((SELECT …) UNION …)` is a query in parentheses, `(INSERT …; DELETE …)` a list of commands.
    fn opens_query(&self) -> bool {
        self.kind_at(1) == Some(Kind::OpenParen)
    }

    /// A statement written inside another one.
    pub fn nested(&self, places: std::ops::Range<usize>) -> Option<Statement> {
        if places.is_empty() {
            return None;
        }
        let operation = match self.deeper(places.clone()) {
            Some(inner) => statement::read(inner),
            None => Operation::Unread(Unread {
                reason: "statements are nested too deeply".into(),
                touches: Vec::new(),
                everything: true,
                reach: Reach::Anything,
            }),
        };
        Some(Statement { span: self.span(places), operation })
    }

    /// After CREATE POLICY.
    pub fn create_policy(&mut self) -> Read<Operation> {
        Ok(Operation::CreatePolicy(self.policy()?))
    }

    /// `name ON table [AS …] [FOR …] [TO roles] [USING (…)] [WITH CHECK (…)]`.
    pub fn policy(&mut self) -> Read<Policy> {
        let name = self.ident()?;
        self.expect("on")?;
        let table = self.name()?;
        if self.eat("as") {
            self.label()?;
        }
        if self.eat("for") && !self.eat_any(&["all", "select", "insert", "update", "delete"]) {
            return Err(self.refuse("a command"));
        }
        if self.eat("to") {
            self.list(Cursor::role)?;
        }
        let using = if self.eat("using") { Some(self.expression_in_parens()?) } else { None };
        let check = if self.eat("with check") { Some(self.expression_in_parens()?) } else { None };
        Ok(Policy { name, table, using, check })
    }
}
