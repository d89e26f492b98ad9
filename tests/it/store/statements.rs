//! Prepares every SQL statement of the store, read from its sources, on both schemas, so that a
//! mistake is found even in a statement that no other test runs.

use std::collections::HashMap;
use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Database, Executor, SqlSafeStr};
use tempfile::TempDir;

use crate::support::{database, services};

/// Somewhat fewer than there are; if fewer are found, the reading of the sources is broken.
const AT_LEAST: usize = 70;

/// The files whose statements are for PostgreSQL alone.
const OF_POSTGRES: [&str; 4] = ["bounded.rs", "calls.rs", "database_lock.rs", "postgres.rs"];

#[tokio::test]
async fn all_statements_can_be_prepared_on_sqlite() {
    let directory = TempDir::new().unwrap();
    let url = format!("{}?mode=rwc", database::sqlite_in(directory.path()));
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    migrations("sqlite").await.run(&mut connection).await.unwrap();
    prepare_all::<sqlx::Sqlite>(&mut connection, Dialect::Sqlite).await;
}

#[tokio::test]
async fn all_statements_can_be_prepared_on_postgres() {
    let Some(url) = services::postgres() else { return };
    let url = services::database(&url).await;
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    migrations("postgres").await.run(&mut connection).await.unwrap();
    prepare_all::<sqlx::Postgres>(&mut connection, Dialect::Postgres).await;
}

/// The page of a user's chats is a range of an index, and is not sorted from all chats.
#[tokio::test]
async fn a_list_of_chats_is_a_range_of_an_index() {
    let steps = steps_of("with page as").await;
    let first = steps.iter().position(|step| step.starts_with("SEARCH")).expect("an index");
    let run = "SEARCH members USING COVERING INDEX members_by_activity \
               (user_id=? AND (active_at,chat_id)<(?,?))";
    // Only the chats within the limit are sorted.
    assert!(steps[first] == run && steps[first + 1].starts_with("SCAN"), "{steps:#?}");
}

/// Public chats are read in the order of their activity, or by a prefix of their names.
#[tokio::test]
async fn a_list_of_public_chats_is_a_range_of_an_index() {
    let steps = steps_of("c.name_folded is not null").await;
    assert_eq!(steps, ["SEARCH c USING INDEX chats_public ((active_at,id)<(?,?))"]);
    let steps = steps_of("c.name_folded >= $4").await;
    let run = "SEARCH c USING INDEX chats_public_by_name (name_folded>? AND name_folded<?)";
    assert_eq!(steps[0], run, "{steps:#?}");
}

/// SQLite's query plan for the one statement that contains this text.
async fn steps_of(part: &str) -> Vec<String> {
    let directory = TempDir::new().unwrap();
    let url = format!("{}?mode=rwc", database::sqlite_in(directory.path()));
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    migrations("sqlite").await.run(&mut connection).await.unwrap();
    let found = statements().into_iter().filter(|it| it.sql.contains(part));
    let found: Vec<_> = found.map(|it| format!("explain query plan {}", it.sql)).collect();
    assert_eq!(found.len(), 1, "{part}");
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(AssertSqlSafe(found[0].clone())).fetch_all(&mut connection).await.unwrap();
    plan.into_iter().map(|(.., step)| step).collect()
}

/// Fails if a statement for this dialect, or for both, cannot be prepared.
async fn prepare_all<DB: Database>(connection: &mut DB::Connection, dialect: Dialect)
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut wrong = Vec::new();
    let statements = statements();
    let statements = statements.iter().filter(|it| it.only.is_none_or(|only| only == dialect));
    let statements = Vec::from_iter(statements);
    for Statement { file, sql, .. } in &statements {
        let text = AssertSqlSafe(sql.clone()).into_sql_str();
        if let Err(error) = connection.prepare(text).await {
            wrong.push(format!("{}: {error}\n{sql}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let count = statements.len();
    assert!(count >= AT_LEAST, "only {count} statements were found");
}

async fn migrations(dialect: &str) -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
    Migrator::new(folder).await.unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Dialect {
    Sqlite,
    Postgres,
}

struct Statement {
    file: PathBuf,
    /// The dialect that it is for; none for both.
    only: Option<Dialect>,
    sql: String,
}

fn statements() -> Vec<Statement> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // The statements for copying a database are in a subfolder, and are built at run time.
    files.filter(|file| file.is_file()).flat_map(|file| statements_in(&file)).collect()
}

/// The string literals in a source that begin like statements. The name before a statement, within
/// its function, says which dialect it is for: the arm of a `match`, or `on!`.
fn statements_in(file: &Path) -> Vec<Statement> {
    let tokens = tokens(&fs::read_to_string(file).unwrap());
    let source = Source { macros: macros(&tokens), tokens };
    let is = |name: &str| file.ends_with(name);
    let of_file = match () {
        () if OF_POSTGRES.iter().any(|file| is(file)) => Some(Dialect::Postgres),
        () if is("rows.rs") || is("pages.rs") || is("backup.rs") => Some(Dialect::Sqlite),
        () => None,
    };
    let (mut found, mut only, mut at) = (Vec::new(), None, 0);
    while at < source.tokens.len() {
        match (&source.tokens[at], source.tokens.get(at + 1)) {
            (Token::Word(word), Some(Token::Mark('('))) if word == "Sqlite" => {
                only = Some(Dialect::Sqlite);
            }
            (Token::Word(word), Some(Token::Mark('('))) if word == "Postgres" => {
                only = Some(Dialect::Postgres);
            }
            (Token::Word(word), _) if ["fn", "const", "on"].contains(&word.as_str()) => only = None,
            (Token::Word(word), _) if word == "macro_rules" => {
                at = source.end_of_macro(at);
                continue;
            }
            _ => {}
        }
        let Some((sql, end)) = source.text(at, "") else {
            at += 1;
            continue;
        };
        let first = sql.split_whitespace().next().unwrap_or_default();
        // A statement that is put together for several tables is only run by other tests.
        let is_whole = !sql.contains("{table}");
        if is_whole && ["select", "insert", "update", "delete", "with"].contains(&first) {
            let only = only.or(of_file);
            found.push(Statement { file: file.to_owned(), only, sql });
        }
        at = end;
    }
    found
}

struct Source {
    tokens: Vec<Token>,
    /// Where the bodies of those macros begin that expand to texts.
    macros: HashMap<String, usize>,
}

impl Source {
    /// The text that begins at a token, if one does, and the place after it: a literal, a
    /// `concat!`, a macro of this source, or a macro's argument in its body.
    fn text(&self, at: usize, argument: &str) -> Option<(String, usize)> {
        match self.tokens.get(at)? {
            Token::Text(text) => Some((text.clone(), at + 1)),
            Token::Mark('$') => Some((argument.to_owned(), at + 2)),
            Token::Word(name) if self.tokens.get(at + 1) == Some(&Token::Mark('!')) => {
                let body = self.macros.get(name);
                if name != "concat" && body.is_none() {
                    return None;
                }
                let (mut at, mut text) = (at + 3, String::new());
                while let Some((part, end)) = self.text(at, argument) {
                    text.push_str(&part);
                    at = end + usize::from(self.tokens.get(end) == Some(&Token::Mark(',')));
                }
                let text = match body {
                    Some(body) => self.text(*body, &text)?.0,
                    None => text,
                };
                Some((text, at + 1))
            }
            _ => None,
        }
    }

    fn end_of_macro(&self, at: usize) -> usize {
        let (mut at, mut depth) = (at + 3, 0);
        loop {
            match self.tokens[at] {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                return at;
            }
        }
    }
}

/// Each macro's name and where the body of its only arm begins: after `=> {`.
fn macros(tokens: &[Token]) -> HashMap<String, usize> {
    let is_definition = |at: &usize| tokens[*at] == Token::Word("macro_rules".into());
    let definitions = (0..tokens.len()).filter(is_definition);
    let definition = |at: usize| {
        let Token::Word(name) = &tokens[at + 2] else { panic!("a macro without a name") };
        let arrow = (at..).find(|at| tokens[*at] == Token::Mark('>')).unwrap();
        (name.clone(), arrow + 2)
    };
    definitions.map(definition).collect()
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// The words, string literals and marks of a source, without comments.
fn tokens(source: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), source.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => {
                rest.by_ref().take_while(|c| *c != '\n').for_each(drop)
            }
            '"' => tokens.push(Token::Text(literal(&mut rest))),
            // A character or a lifetime. Both are skipped, but the former may be a quote.
            '\'' => {
                let mut ahead = rest.clone();
                let character = [ahead.next(), ahead.next(), ahead.next()];
                match character {
                    [Some('\\'), _, Some('\'')] => _ = rest.nth(2),
                    [_, Some('\''), _] => _ = rest.nth(1),
                    _ => {}
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c if c.is_whitespace() => {}
            c => tokens.push(Token::Mark(c)),
        }
    }
    tokens
}

/// The rest of a string literal, up to its closing quote.
fn literal(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => return text,
            '\\' => match rest.next() {
                Some('n') => text.push('\n'),
                Some('\n') => while rest.next_if(|c| c.is_whitespace()).is_some() {},
                Some(c @ ('"' | '\'' | '\\')) => text.push(c),
                other => panic!("what is \\{other:?}?"),
            },
            c => text.push(c),
        }
    }
    panic!("a literal that does not end")
}
