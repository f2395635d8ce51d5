use super::read;
use crate::operation::{Ruby, RubyCall, RubyFile, RubyKind, RubyPart};
use crate::source::{Piece, Sources};

fn parse(text: &str) -> (Sources, RubyFile) {
    let mut sources = Sources::default();
    let id = sources.add("a.rb", text);
    let file = read(&sources.piece(id));
    (sources, file)
}

fn call(node: &Ruby) -> &RubyCall {
    match &node.kind {
        RubyKind::Call(call) => call,
        other => panic!("{other:?}"),
    }
}

fn text(node: &Ruby) -> &Piece {
    match &node.kind {
        RubyKind::String(parts) => match parts.as_slice() {
            [RubyPart::Text(piece)] => piece,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_have_arguments_keywords_and_blocks() {
    let (_, file) = parse("add_index :users, %i[a b], unique: true, **more do |t, (a, *b), c = 1, k: 2, &block| t end");
    let call = call(&file.body[0]);
    assert_eq!((&*call.name, call.arguments.len(), call.keywords.len()), ("add_index", 2, 2));
    let block = call.block.as_ref().unwrap();
    let shape = &block.parameters;
    assert_eq!((shape.required.len(), shape.optional.len(), shape.keywords.len()), (2, 1, 1));
    assert_eq!(shape.block.as_deref(), Some("block"));
}

#[test]
fn places_inside_heredocs_are_exact() {
    let source = "execute(<<~SQL)\n    ALTER TABLE a\n      ADD \\\"b\\\" int;\nSQL\n";
    let (sources, file) = parse(source);
    let RubyKind::String(parts) = &call(&file.body[0]).arguments[0].kind else { panic!() };
    let mut whole = String::new();
    for part in parts {
        let RubyPart::Text(piece) = part else { panic!() };
        whole.push_str(piece.text());
        if let Some(at) = piece.text().find("ADD") {
            assert_eq!(sources.text(piece.span(at..at + 3)), "ADD");
            assert_eq!(sources.start(piece.span(at..at + 3)).line, 3);
            let quote = piece.text().find('"').unwrap();
            assert_eq!(sources.text(piece.span(quote..quote + 1)), "\\\"");
            let after = piece.text().find("int").unwrap();
            assert_eq!(sources.text(piece.span(after..after + 3)), "int");
        }
    }
    assert_eq!(whole, "ALTER TABLE a\n  ADD \"b\" int;\n");
}

#[test]
fn escapes_lead_back_to_what_is_written() {
    let (sources, file) = parse(
        r#"["a\tb\u{41 42}c\x41\
d", 'it\'s \n', %q(x\)y)]"#,
    );
    let RubyKind::Array(items) = &file.body[0].kind else { panic!() };
    let texts: Vec<&str> = items.iter().map(|item| text(item).text()).collect();
    assert_eq!(texts, ["a\tbABcAd", "it's \\n", "x)y"]);
    let piece = text(&items[0]);
    assert_eq!(sources.text(piece.span(7..8)), "d");
    assert_eq!(sources.text(piece.span(1..2)), "\\t");
    let piece = text(&items[2]);
    assert_eq!(sources.text(piece.span(2..3)), "y");
}

#[test]
fn broken_files_keep_what_can_be_read() {
    let (_, file) = parse("add_column :a, :b\nadd_column(:c,\n");
    assert!(!file.errors.is_empty());
    assert_eq!(&*call(&file.body[0]).name, "add_column");
}

#[test]
fn deep_nesting_is_cut_and_said() {
    for text in [
        format!("{}1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("a{}", ".b".repeat(20_000)),
        format!("x = {}1", "-".repeat(5_000)),
        format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("a = {}", "1 + ".repeat(20_000) + "1"),
        "if a\n".repeat(3000),
    ] {
        let work = move || {
            let (_, file) = parse(&text);
            assert!(!file.errors.is_empty(), "{}", &text[..20]);
        };
        let thread = std::thread::Builder::new().stack_size(crate::read::STACK).spawn(work).unwrap();
        thread.join().unwrap();
    }
}

#[test]
fn comments_are_kept() {
    let (sources, file) = parse("# plimsoll:allow x: y\nfoo # end\n");
    assert_eq!(file.comments.len(), 2);
    assert_eq!(sources.text(file.comments[1].span), "# end");
}

#[test]
fn statements_reach_to_the_end_of_their_heredocs() {
    let (sources, file) = parse("def up\n  execute <<~A + <<~B\n    a\n  A\n    b\n  B\n  foo\nend\n");
    let RubyKind::Method(method) = &file.body[0].kind else { panic!() };
    assert_eq!(sources.end(method.body[0].span).line, 7, "behind the line that closes the last one");
    assert_eq!(sources.text(method.body[1].span), "foo");
}
