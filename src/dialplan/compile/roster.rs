//! Who is on which shift: of the dialplan itself, and of the roster that it names, a file that changes every week.

use crate::dialplan::prompt::Library;
use crate::dialplan::schema::{Shifts, Written, everybody, shifts};
use crate::fault::Fault;
use crate::written::{At, Document, text_of};

/// Puts the shifts of the roster behind those of the dialplan. Returns the roster's own faults.
pub(super) fn compile(document: &Document<'_>, written: &mut Written, library: &Library<'_>) -> Vec<Fault> {
    let everybody: Vec<String> = everybody(written).into_iter().map(|at| at.value.clone()).collect();
    of_this_hotline(document, &written.shifts, &everybody);
    let Some(At { value: name, line }) = written.roster.clone() else { return Vec::new() };
    // It becomes a part of a path.
    let good = (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let found = good.then(|| library.file(&format!("rosters/{name}.toml"))).flatten();
    let Some((shown, bytes)) = found else {
        let what = format!("agents.roster: there is no roster \"{name}\"");
        document.fault(
            line,
            what,
            format!("make rosters/{}.toml beside the dialplans", if good { &name } else { "NAME" }),
        );
        return Vec::new();
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => return vec![Fault::new(shown, 1, error, "make it readable")],
    };
    let text = match text_of(&shown, &bytes) {
        Ok(text) => text,
        Err(fault) => return vec![fault],
    };
    let roster = Document::parse(&shown, text);
    let mut root = roster.root();
    let more = shifts(root.sections("shift"));
    if more.all.is_empty() {
        root.fault(1, "nobody is on any shift of this roster", "write [[shift]] with agents and hours");
    }
    drop(root);
    of_this_hotline(&roster, &more, &everybody);
    written.shifts.all.extend(more.all);
    roster.into_faults()
}

/// A shift is of those who answer here.
fn of_this_hotline(document: &Document<'_>, shifts: &Shifts, everybody: &[String]) {
    for agent in shifts.agents.iter().filter(|agent| !everybody.contains(&agent.value)) {
        let what = format!("a shift names agent \"{}\", whom no call rings", agent.value);
        document.fault(agent.line, what, "add the number to [agents] or to a step, or take it out of the shift");
    }
}
