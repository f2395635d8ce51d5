//! Settings files: what is taken, what is refused and where the fault is shown.

use super::*;

fn read(text: &str) -> Result<Settings, Vec<(String, String, Option<String>)>> {
    read_at("plimsoll.toml", text)
}

fn read_at(path: &str, text: &str) -> Result<Settings, Vec<(String, String, Option<String>)>> {
    let mut sources = Sources::default();
    let id = sources.add(path, text);
    let file = SettingsFile { sources: &sources, id, rules: &["drop-column", "fk-before-backfill"] };
    file.read().map_err(|error| match error {
        Error::Settings { faults, .. } => {
            let place = |span: SourceSpan| text[span.offset()..span.offset() + span.len()].to_owned();
            faults.into_iter().map(|fault| (place(fault.span), fault.message, fault.help)).collect()
        }
        other => panic!("{other}"),
    })
}

const FULL: &str = r#"
postgres = "14..17"
framework = "flyway"
transaction = "file"
paths = ["db", "more/db"]
large-tables = ["public.orders", "\"Users\""]
small-tables = ["plans"]
search-path = ["shop", "\"$user\"", "public"]
dynamic-partitions = ["events"]
lock-timeout = "5s"
application-stopped = true
extra-rules = ["db/rules"]
vocabularies = ["db/words.toml"]
upgrade-stops = ["17.5", "17.8"]
preset = "strict"
baseline = "plimsoll-baseline.json"
fail-on = "warning"
unallowable = ["fk-before-backfill"]
databases = { main = ["db"], ci = "db/ci" }

[rules]
drop-column = "off"

[placeholders]
schema = "app"

[releases]
"24.2" = ["V4*"]
"24.10" = ["db/V3*", "7"]

[[overrides]]
paths = ["db/old/**"]
rules = { drop-column = "note" }

[[allow]]
rule = "drop-column"
migration = "db/V3*"
object = "public.orders"
reason = "nobody reads it"

[[fact]]
backfilled = "public.copy"
from = "public.orders"
columns = ["a", "b"]
where = "a > 1"
reason = "run by hand"
"#;

#[test]
fn every_key_is_read() {
    let settings = read(FULL).unwrap();
    assert_eq!(settings.postgres.to_string(), "14..17");
    assert_eq!((settings.framework, settings.transaction), (Some(Framework::Flyway), Some(TransactionUnit::File)));
    assert_eq!(settings.paths, ["db", "more/db"]);
    assert_eq!(settings.large_tables[1].to_string(), "\"Users\"");
    assert!(settings.lock_timeout_set == Some(true) && settings.preset == Preset::Strict);
    assert!(settings.application_stopped);
    assert_eq!(settings.search_path, [Ident::new("shop"), Ident::new("public")]);
    assert_eq!(settings.fail_on, Severity::Warning);
    assert_eq!(settings.baseline.as_deref(), Some("plimsoll-baseline.json"));
    assert_eq!(settings.severity("drop-column", "db/V1__x.sql"), Some(Severity::Off));
    assert_eq!(settings.severity("drop-column", "db/old/V1__x.sql"), Some(Severity::Note));
    let releases: Vec<&str> = settings.releases.iter().map(|release| release.name.as_str()).collect();
    assert_eq!(releases, ["24.2", "24.10"]);
    assert_eq!(settings.databases.len(), 2);
    assert_eq!(settings.placeholders.get("schema").map(String::as_str), Some("app"));
    assert_eq!(settings.facts[0].columns.len(), 2);
    assert_eq!(settings.allows[0].reason.as_deref(), Some("nobody reads it"));
    let used = FULL.lines().filter_map(|line| line.split(['=', ']']).next());
    let used: Vec<String> = used.map(|key| key.trim().trim_matches('[').to_owned()).collect();
    assert!(KEYS.iter().all(|key| used.iter().any(|used| used == key)), "the example shows every key");
}

#[test]
fn all_faults_are_reported_at_once_with_their_place() {
    let faults = read("postgress = '14'\nfail-on = 'of'\npaths = 3\n[rules]\ndrop-colum = 'warn'\n").unwrap_err();
    let places: Vec<&str> = faults.iter().map(|(place, ..)| place.as_str()).collect();
    assert_eq!(places, ["postgress", "'of'", "3", "drop-colum", "'warn'"]);
    let help = |at: usize| faults[at].2.as_deref();
    assert_eq!(help(0), Some("did you mean `postgres`?"));
    assert_eq!(help(3), Some("did you mean `drop-column`?"));
    assert_eq!(help(4), Some("allowed: `off`, `note`, `warning`, `error`"));
}

#[test]
fn each_wrong_value_is_a_fault() {
    for wrong in [
        "postgres = '11'",
        "postgres = true",
        "framework = 'rails5'",
        "fail-on = 'off'",
        "preset = 'loose'",
        "lock-timeout = 'soon'",
        "lock-timeout = 5.5",
        "large-tables = ['a.b.c']",
        "paths = ['/etc']",
        "rules = 'off'",
        "unallowable = ['nothing-like-it']",
        "overrides = [{paths = 'a'}]",
        "allow = [{rule = 'drop-column', migration = '3'}]",
        "allow = [{rule = 'drop-column', migration = '3', reason = ' '}]",
        "allow = [{rule = 'drop-column', migration = '[', reason = 'x'}]",
        "fact = [{backfilled = '1', reason = 'x'}]",
        "fact = {backfilled = 'a'}",
        "releases = ['a']",
        "databases = 7",
        "postgres = '14",
    ] {
        let faults = read(wrong).unwrap_err();
        assert_eq!(faults.len(), 1, "{wrong}: {faults:?}");
    }
    assert!(read("postgres = 16\nlock-timeout = '0'").is_ok_and(|settings| settings.lock_timeout_set == Some(false)));
}

#[test]
fn paths_start_from_the_folder_of_the_file() {
    let text = "paths = ['db']\nbaseline = 'known.json'\n[releases]\n1 = ['db/*']";
    let settings = read_at("services/a/plimsoll.toml", text).unwrap();
    assert_eq!(settings.paths, ["services/a/db"]);
    assert_eq!(settings.baseline.as_deref(), Some("services/a/known.json"));
    assert!(settings.releases[0].migrations[0].matches_path("services/a/db/1.sql"));
}

#[test]
fn the_documentation_shows_every_key_and_its_examples_are_right() {
    let page = include_str!("../../../docs/configuration.md");
    for key in KEYS {
        assert!(page.contains(&format!("\n## `{key}`\n")), "no section on `{key}`");
        assert!(page.contains(&format!("| [`{key}`](#{key}) |")), "no row on `{key}`");
    }
    // A page inside a longer fence shows another format.
    let own: String = page.split("````").step_by(2).collect();
    for example in own.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        assert!(read(example).is_ok(), "{example}");
    }
}

#[test]
fn deep_or_broken_documents_do_no_harm() {
    assert!(read(&format!("paths = {}", "[".repeat(100_000))).is_err());
    assert!(read("\u{0}").is_err());
    assert!(read("").is_ok());
}

#[test]
fn placeholders_are_parts_of_a_statement() {
    let faults = read("[placeholders]\na = 1\nb = 'x; drop table y'\nc = ''\n").unwrap_err();
    let places: Vec<&str> = faults.iter().map(|(place, ..)| place.as_str()).collect();
    assert_eq!(places, ["1", "'x; drop table y'"]);
}
