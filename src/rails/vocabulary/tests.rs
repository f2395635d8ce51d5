use super::{SHIPPED, read};

#[test]
fn what_ships_can_be_read() {
    for text in SHIPPED {
        if let Err(why) = read(text) {
            panic!("{why}");
        }
    }
}

#[test]
fn faults_are_said_with_their_place() {
    let text = "[vocabulary]\nname = \"a\"\n[helper.b]\nparameters = \"x\"\ndoes = \"\"\"\nadd_index x,\n\"\"\"\n";
    let why = read(text).unwrap_err();
    assert!(why.contains("helper `b`"), "{why}");
    assert!(read("[vocabulary]\nname = \"a\"\ninherit = []\n").unwrap_err().contains("inherit"));
}
