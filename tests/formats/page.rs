//! The report as a page: complete in itself, every link leads somewhere, and a browser finds nothing to complain of.

use std::collections::BTreeSet;

use base64::Engine;
use plimsoll::output::{Format, Options};
use sha2::{Digest, Sha256};

use super::browser::Browser;
use super::command::plimsoll;
use super::hostile::hostile;
use super::report::{rendered, written};

fn incident() -> String {
    let ran = plimsoll(&["check", "fixtures/_whole/incident-partition-keys", "--format=html"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    ran.out
}

fn hostile_page() -> String {
    let (sources, report) = hostile();
    written(&report, &sources, Format::Html, Options::default())
}

/// The text between two others, at its first place.
fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    text.split_once(open).unwrap().1.split_once(close).unwrap().0
}

fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!(" {name}=\"");
    page.split(open.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn the_policy_names_the_one_script_and_the_one_style() {
    let page = rendered(Format::Html, Options::default());
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    for (kind, text) in
        [("script", between(&page, "<script>", "</script>")), ("style", between(&page, "<style>", "</style>"))]
    {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
        assert!(policy.contains(&format!("{kind}-src 'sha256-{hash}'")), "{kind}-src is to be sha256-{hash}");
    }
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn every_link_inside_leads_to_one_place() {
    for page in [rendered(Format::Html, Options::default()), incident(), hostile_page()] {
        let ids = attributes(&page, "id");
        let known: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(known.len(), ids.len(), "an id stands twice");
        for target in attributes(&page, "href").into_iter().filter_map(|target| target.strip_prefix('#')) {
            assert!(known.contains(target), "#{target} leads nowhere");
        }
    }
}

#[test]
fn nothing_is_loaded_and_no_name_becomes_markup() {
    for page in [incident(), hostile_page()] {
        assert_eq!(page.matches("<script").count(), 1);
        let outside = page.replace(between(&page, "<script>", "</script>"), "");
        for load in [" src=", "@import", "url(http", "<link", "<img", "<iframe", " style=", " onclick", " onload"] {
            assert!(!outside.contains(load), "{load}");
        }
        for target in attributes(&outside, "href").into_iter().filter(|target| !target.starts_with('#')) {
            assert!(target.starts_with("https://github.com/plimsoll/plimsoll/"), "{target}");
        }
    }
}

/// What a reader asks of the incident: what breaks, for whom, why, since where, what to run.
#[test]
fn the_page_answers_the_questions_of_the_incident() {
    let page = incident();
    let card = between(&page, "<article class=\"finding error\"", "</article>");
    for (question, answer) in [
        (
            "what breaks",
            "writes to <code>ci_runner_machines</code> fail where they refer to rows of <code>ci_runners</code>",
        ),
        ("for whom", "<dt>What fails</dt><dd>INSERT of <code>ci_runner_machines</code>, and UPDATE"),
        (
            "for whom not",
            "<dt>What is not hit</dt><dd>rows that refer to rows of <code>ci_runners</code> inserted since",
        ),
        ("by which way", ">table_sync_trigger_bc3e7b56bd</a></li>"),
        ("why", "only rows inserted since trigger <code>table_sync_trigger_61879721b5</code> reach"),
        ("since where", ">001_create_ci_runners.sql:4</a>"),
        ("what to run", "INSERT INTO public.ci_runners_e59bb2812d"),
    ] {
        assert!(card.contains(answer), "{question}: {answer}\n{card}");
    }
    let section = between(&page, "008_add_fk_machines_to_runners.sql</a></h2>", "</section>");
    for (part, text) in [
        ("a bar for a lock", "<td class=\"lk w"),
        ("what takes long", "reads all of public.group_type_ci_runner_machines_687967fa8a"),
        ("what is left half way", "<h4>If it stops half way</h4>"),
        ("completeness", "no old rows: nothing fills it"),
        ("the failing way", "<g class=\"arrow marked\">"),
        ("the source with its note", "<p class=\"mark error\">"),
        ("the schema's change", "<span class=\"new\">+ CONSTRAINT fk_rails_3f92913d27 FOREIGN KEY"),
    ] {
        assert!(section.contains(text), "{part}: no {text}");
    }
}

#[test]
fn a_browser_finds_nothing_to_complain_of() {
    let Some(browser) = Browser::open("incident", &incident()) else { return };
    assert_eq!(browser.complaints(), Vec::<String>::new());
    for width in [360, 768, 1280] {
        browser.resize(width);
        let wide = browser.evaluate("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{wide} pixels wide at {width}");
    }
    // The keyboard: from finding to finding, and all that is folded.
    browser.press("j");
    let first = browser.evaluate("document.activeElement.id");
    browser.press("j");
    let second = browser.evaluate("document.activeElement.id");
    browser.press("k");
    assert_eq!(browser.evaluate("document.activeElement.id"), first);
    assert!(first.as_str().unwrap().starts_with("f-") && first != second, "{first} {second}");
    browser.press("o");
    assert_eq!(browser.evaluate("document.querySelectorAll('details:not([open])').length"), 0);
    browser.evaluate("document.activeElement.blur(); document.querySelector('.skip').focus()");
    browser.press("Tab");
    assert_eq!(browser.evaluate("document.activeElement.tagName"), "A", "what can be reached is reached in order");
    // A link into what is folded opens it.
    browser.evaluate("document.querySelectorAll('details').forEach(part => part.open = false)");
    browser.evaluate(
        "location.hash = document.querySelector('.listing a').hash; new Promise(done => setTimeout(done, 100))",
    );
    assert!(browser.evaluate("document.querySelectorAll('details[open]').length").as_u64().unwrap() > 0);
    // Copying what to run.
    browser.ask(
        "Browser.grantPermissions",
        serde_json::json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}),
    );
    browser.ask("Page.bringToFront", serde_json::json!({}));
    browser.evaluate("document.querySelector('button.copy').click(); new Promise(done => setTimeout(done, 300))");
    assert_eq!(browser.evaluate("document.querySelector('button.copy').textContent"), "Copied");
    let copied = browser.evaluate("navigator.clipboard.readText()");
    assert_eq!(copied, browser.evaluate("document.querySelector('.paste pre').textContent"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_browser_sees_text_where_names_are_hostile() {
    let Some(browser) = Browser::open("hostile", &hostile_page()) else { return };
    assert_eq!(browser.evaluate("document.scripts.length"), 1);
    assert_eq!(
        browser.evaluate("document.querySelectorAll('img,iframe,object,embed,form,base,[onclick],[onerror]').length"),
        0
    );
    assert_eq!(browser.evaluate("document.querySelectorAll('article.finding').length"), 2);
    let text = browser.evaluate("document.body.textContent");
    assert!(text.as_str().unwrap().contains("<script>alert(1)</script>"), "the name is shown as it is");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
