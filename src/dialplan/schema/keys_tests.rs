//! The README's table of keys is that of the reader.

use std::collections::BTreeSet;

use super::*;

/// Every section and every kind of step.
const ALL: &str = "[hours]\n[[hours.season]]\n[outage]\n\
                   [silent]\n[noise]\n[low_volume]\n[hold]\n[length]\n[closing]\n[nuisance]\n[wrong_number]\n[emergency]\n\
                   [person_sought]\n[transfer]\n[[shift]]\n\
                   [priority]\n[callback]\n[outbound]\n[survey]\n[classes]\n[notes]\n[qa]\n[queue]\n[agents]\n[step.a]\ndo = \"ring\"\n\
                   [step.b]\ndo = \"call\"\n[step.c]\ndo = \"say\"\n[step.d]\ndo = \"menu\"\n[step.e]\ndo = \"message\"\n\
                   [step.f]\ndo = \"cascade\"\n";

fn known() -> BTreeSet<(String, String)> {
    let document = Document::parse("all", ALL);
    drop(read(&document));
    let name = |section: &str| match section {
        "[[season]]" => "[[hours.season]]".to_owned(),
        step if step.starts_with("[step.") => "[step.NAME]".to_owned(),
        other => other.to_owned(),
    };
    let asked = document.asked();
    let keys = asked.iter().filter(|(section, key)| !section.is_empty() && !["season", "shift"].contains(key));
    keys.map(|(section, key)| (name(section), (*key).to_owned())).collect()
}

#[test]
fn the_readme_tells_every_key_and_no_other() {
    let readme = include_str!("../../../dialplans/README.md");
    let table = readme.split("| 小节 section |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let mut section = String::new();
    let mut told = BTreeSet::new();
    for line in table.lines().skip(2) {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        if !cells[1].is_empty() {
            section = cells[1].to_owned();
        }
        assert!(told.insert((section.clone(), cells[2].to_owned())), "twice: {line}");
    }
    let known = known();
    assert_eq!(known.difference(&told).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "not in the README");
    assert_eq!(told.difference(&known).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "not read");
    assert!(known.len() > 50, "{known:?}");
}
