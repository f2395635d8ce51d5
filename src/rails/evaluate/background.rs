//! What helpers of vocabularies may say that is no call of a migration's: work that is queued, blocks under lock
//! retries, loops over batches.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Flow;
use super::given::Given;
use super::unread::table_name;
use crate::operation::{Background, BackgroundAction, Frame, FrameKind, Ident, Job, Node, Operation, Statement};
use crate::rails::active_record;
use crate::rails::call::{Answer, Call};
use crate::rails::value::{Inspected, Text, Value};
use crate::read::sql;
use crate::source::{Piece, Span};

impl Evaluator<'_> {
    /// Words that only helpers have.
    pub(super) fn helper_word(&mut self, name: &str, given: &Given, at: Span) -> Option<Flow> {
        let block = given.block.clone();
        Some(match name {
            "lock_retries" => match block {
                Some(block) => self.lock_retries(&block, at),
                None => Ok(Value::Nil),
            },
            // It would fail on the first machine that runs it: what is merged does not.
            "outside_transaction!" => Ok(Value::Nil),
            "unknown" => {
                let why = given.first().and_then(Value::to_text).unwrap_or_else(|| "what a helper asks for".into());
                Ok(Value::Unknown(why))
            }
            "known?" => Ok(Value::Bool(!matches!(given.first(), None | Some(Value::Unknown(_))))),
            "rows_of" => Ok(self.rows_of(given.first())),
            "batches" => match block {
                Some(block) => self.batches(&block, at),
                None => Ok(Value::Nil),
            },
            "sql_of" => self.sql_of(given, at),
            "work_of" => self.work_of(given, at),
            "queue_background" => {
                let does = given.keyword("does").and_then(|does| statements(does, at));
                self.background(given, BackgroundAction::Queue { does: does.map(Arc::from) }, at)
            }
            "finish_background" => self.background(given, BackgroundAction::Finish, at),
            "delete_background" => self.background(given, BackgroundAction::Delete, at),
            _ => return None,
        })
    }

    /// A transaction of its own that waits for its locks a short while, again and again.
    fn lock_retries(&mut self, block: &Value, at: Span) -> Flow {
        if self.world.in_transaction() {
            return self.call_block(block, Given::default(), at);
        }
        self.world.begin(at);
        self.world.send(&Piece::made_at("SET LOCAL lock_timeout TO '2s'", at));
        let ran = self.call_block(block, Given::default(), at);
        self.world.commit(at);
        ran
    }

    /// The block runs until no row is left to change.
    fn batches(&mut self, block: &Value, at: Span) -> Flow {
        self.world.enter(Frame { kind: FrameKind::Loop(None), span: at });
        let ran = self.call_block(block, Given::default(), at);
        self.world.leave();
        ran
    }

    /// What a call of Active Record's would send, as texts.
    fn sql_of(&mut self, given: &Given, at: Span) -> Flow {
        let mut given = given.clone();
        if given.arguments.is_empty() {
            return Ok(Value::Nil);
        }
        let Some(name) = given.arguments.remove(0).name().map(Arc::<str>::from) else { return Ok(Value::Nil) };
        let (arguments, options) = self.told(given, at)?;
        let call = Call { name, arguments, options, span: at, inner: None };
        Ok(match active_record::answer(&call, &self.dialect, self.world.schema()) {
            Answer::Sends(pieces) => {
                let texts = pieces.iter().map(|piece| Value::Text(Text::placed(piece.clone())));
                Value::Array(Arc::new(texts.collect()))
            }
            Answer::SendsPart { reason, .. } | Answer::Unread { reason, .. } => Value::Unknown(reason),
            Answer::NotMine => Value::unknown(format!("`{}` is not known here", call.name)),
        })
    }

    fn background(&mut self, given: &Given, action: BackgroundAction, at: Span) -> Flow {
        let text = |name: &str| given.keyword(name).filter(|value| !value.is_nil()).and_then(Value::to_text);
        let Some(class) = text("job") else {
            let reason = "the job that is queued or finished is not known".to_owned();
            let touches: Vec<_> = text("table").iter().map(|table| table_name(table)).collect();
            let everything = touches.is_empty();
            self.unread(reason.into(), touches, everything, at);
            return Ok(Value::Nil);
        };
        let class: Arc<str> = class.rsplit("::").next().unwrap_or(&class).into();
        let arguments = match given.keyword("arguments") {
            Some(Value::Array(items)) => items.iter().map(argument).collect(),
            _ => None,
        };
        let job = Job {
            class,
            table: text("table").map(|table| table_name(&table)),
            column: text("column").map(|column| Ident::new(&*column)),
            arguments,
        };
        self.world.run(Operation::Background(Box::new(Background { job, action })), at);
        Ok(Value::Nil)
    }
}

/// An argument as the queue keeps it: symbols and strings are the same there.
fn argument(value: &Value) -> Option<Arc<str>> {
    fn plain(value: &Value) -> Option<Value> {
        Some(match value {
            Value::Symbol(name) => Value::text(&**name),
            Value::Array(items) => Value::Array(Arc::new(items.iter().map(plain).collect::<Option<Vec<_>>>()?)),
            Value::Hash(pairs) => {
                let plain = |(key, value): &(Value, Value)| Some((plain(key)?, plain(value)?));
                Value::Hash(Arc::new(pairs.iter().map(plain).collect::<Option<Vec<_>>>()?))
            }
            Value::Unknown(_) | Value::Object(_) | Value::Range { .. } | Value::Regex { .. } => return None,
            other => other.clone(),
        })
    }
    Some(match plain(value)? {
        Value::Text(text) => text.as_str().into(),
        other => Inspected(&other).to_string().into(),
    })
}

/// Texts of SQL as statements; `None` where what is done is not known.
fn statements(does: &Value, at: Span) -> Option<Vec<Statement>> {
    let texts = match does {
        Value::Array(items) => items.to_vec(),
        Value::Text(_) => vec![does.clone()],
        _ => return None,
    };
    let mut found = Vec::new();
    for text in texts {
        let Value::Text(text) = text else { return None };
        for node in sql::read(&text.piece(at)).nodes {
            match node {
                Node::Statement(Statement { operation: Operation::Unread(_), .. }) => return None,
                Node::Statement(statement) => found.push(statement),
                _ => return None,
            }
        }
    }
    Some(found)
}
