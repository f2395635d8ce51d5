//! Hostile files end, and say that they were given up.

use std::time::{Duration, Instant};

use super::{told, up};
use crate::operation::RubyDirection;

#[test]
fn nothing_runs_for_ever_or_takes_all_memory() {
    for body in [
        "x = 'a' * 10**9\nexecute x",
        "(1..10**12).to_a",
        "x = (1..10**12).map { |i| i }",
        "loop { }",
        "while true do end",
        "x = 'a'\nloop { x = x + x }",
        "x = 'a'\nloop { x << x }",
        "x = [1]\nloop { x += x }",
        "10.times { 10.times { 10.times { 10.times { 10.times { 10.times { execute 'a' } } } } } }",
        "(1..10**12).each { |i| i }",
        "(10**12).times { |i| i }",
        "f = ->(n) { f.(n + 1) }\nf.(1)",
        "'x'.ljust(10**10)",
        "format('%1000000000s', 'a') * 10**8",
        "a = (1..20_000).to_a\nb = a.product(a).product(a)",
        "h = {}\n(1..10**7).each { |i| h[i] = i }",
    ] {
        let begun = Instant::now();
        let lines = up(body);
        let last = lines.last().cloned().unwrap_or_default();
        assert!(last.trim().starts_with("unread [*]"), "{body}: {last}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{body}: {:?}", begun.elapsed());
    }
}

#[test]
fn methods_that_call_themselves_end() {
    let text = "class A < ActiveRecord::Migration[7.1]\ndef up\na(1)\nend\ndef a(n)\n[n].each { |x| b(x) }\nend\ndef b(n)\na(n + 1)\nend\nend";
    let lines = told(text, RubyDirection::Up, "", "").lines;
    assert!(lines.last().unwrap().trim().starts_with("unread [*] its methods call each other"), "{lines:?}");
}

#[test]
fn constants_that_need_themselves_are_not_known() {
    let text = "class A < ActiveRecord::Migration[7.1]\nX = Y\nY = X\ndef up\nexecute X\nend\nend";
    let lines = told(text, RubyDirection::Up, "", "").lines;
    assert!(lines[0].contains("is defined by itself"), "{lines:?}");
}
