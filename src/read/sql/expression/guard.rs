//! How deep a tree a text would make, told from its tokens: sqlparser recurses over what it builds, and drops it so.

use crate::read::sql::lexer::Kind;
use crate::read::sql::tokens::Tokens;

/// Parentheses, brackets and CASE within one another.
const NESTING: usize = 150;
/// AND, OR and set operations in a row.
const CHAIN: usize = 5_000;
/// Other operators in a row.
const OPERATORS: usize = 300;
const TOKENS: usize = 1_000_000;

/// Bounds of the tree's height, level by level.
#[derive(Debug)]
pub(super) struct Guard {
    levels: Vec<Level>,
}

/// One level of nesting. Heights add up only along one operand; a comma begins another.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    operators: usize,
    chain: usize,
    /// UNION and the like go on over commas.
    arms: usize,
    highest: usize,
    case: bool,
}

impl Default for Guard {
    fn default() -> Guard {
        Guard { levels: vec![Level::default()] }
    }
}

impl Guard {
    pub fn token(&mut self, tokens: &Tokens<'_>, at: usize) -> Result<(), String> {
        if tokens.list.len() > TOKENS {
            return Err("too long to read".to_owned());
        }
        match tokens.list[at].kind {
            Kind::OpenParen => self.open(false)?,
            Kind::OpenBracket => {
                // `int[][]…` nests without being nested.
                self.operator()?;
                self.open(false)?;
            }
            Kind::CloseParen | Kind::CloseBracket => {
                while self.levels.len() > 1 && self.levels.last().is_some_and(|level| level.case) {
                    self.close();
                }
                self.close();
            }
            Kind::Comma => {
                let level = self.level();
                level.highest = level.highest.max(level.chain + level.operators);
                (level.chain, level.operators) = (0, 0);
            }
            Kind::Operator | Kind::Typecast | Kind::Arrow => self.operator()?,
            Kind::Word => self.word(tokens, at)?,
            _ => {}
        }
        Ok(())
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn word(&mut self, tokens: &Tokens<'_>, at: usize) -> Result<(), String> {
        const OPERATORS: &[&str] = &[
            "is", "not", "in", "like", "ilike", "similar", "between", "collate", "at", "isnull", "notnull", "overlaps",
            "interval", "prior", "operator",
        ];
        let word = tokens.list[at].text(tokens.text);
        if word.len() > 9 {
            return Ok(());
        }
        let is = |wanted: &str| word.eq_ignore_ascii_case(wanted);
        if is("and") || is("or") {
            let level = self.level();
            level.chain += 1;
            level.operators = 0;
            return self.check();
        }
        if is("union") || is("except") || is("intersect") {
            self.level().arms += 1;
            return self.check();
        }
        if is("case") {
            return self.open(true);
        }
        if is("end") {
            if self.levels.len() > 1 && self.levels.last().is_some_and(|level| level.case) {
                self.close();
            }
            return Ok(());
        }
        if OPERATORS.iter().any(|operator| is(operator)) {
            return self.operator();
        }
        Ok(())
    }

    fn operator(&mut self) -> Result<(), String> {
        self.level().operators += 1;
        self.check()
    }

    fn check(&mut self) -> Result<(), String> {
        let level = self.level();
        let too_many = level.operators > OPERATORS || level.chain > CHAIN || level.arms > CHAIN;
        let height: usize = if too_many { CHAIN + 1 } else { self.height() };
        if height > CHAIN { Err("too many operators in a row".to_owned()) } else { Ok(()) }
    }

    /// Of the innermost level alone: the outer ones' were checked when they grew, and nesting is bounded.
    fn height(&self) -> usize {
        self.levels.last().map_or(0, |level| level.chain + level.operators + level.arms)
    }

    fn open(&mut self, case: bool) -> Result<(), String> {
        if self.levels.len() > NESTING {
            return Err("nested too deeply".to_owned());
        }
        self.levels.push(Level { case, ..Level::default() });
        Ok(())
    }

    /// What was closed is an operand of the level outside.
    fn close(&mut self) {
        if self.levels.len() < 2 {
            return;
        }
        let Some(closed) = self.levels.pop() else { return };
        let height = closed.highest.max(closed.chain + closed.operators) + closed.arms;
        let level = self.level();
        level.chain = level.chain.max(height.saturating_sub(level.operators));
    }
}
