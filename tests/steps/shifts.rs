//! Shifts: who should have logged in, and who may log out.

use hotline::call::presence::{By, Kind, Order, Presence, What as Told};

use super::*;

const SHIFTS: &str = r#"
[agents]
numbers        = ["8", "9"]
login          = true
login_before_s = 600
successor      = true

[hours]
open = ["daily 08:00-22:00"]

[[shift]]
agents = ["8"]
hours  = ["daily 08:00-16:00"]

[[shift]]
agents = ["9"]
hours  = ["daily 16:00-22:00"]
from   = "2026-11-01"
to     = "2026-11-22"
"#;

/// To this time of the first day, which begins at 07:17:24, a Sunday.
fn run_to(world: &mut World, hour: u32, minute: u32, second: u32) {
    let begun = 7 * 3_600 + 17 * 60 + 24;
    let wanted = f64::from(hour * 3_600 + minute * 60 + second - begun);
    let gone = world.now().mono.as_nanos() as f64 / 1e9;
    world.run_for(secs(wanted - gone));
}

fn order(world: &mut World, agent: &str, order: Order) {
    world.tell(Input::Order { ticket: 1, agent: agent.into(), order });
}

fn told(world: &World) -> Vec<(String, Told)> {
    world.agent_facts.iter().map(|fact| (fact.agent.to_string(), fact.what.clone())).collect()
}

fn kind(world: &World, agent: &str) -> Option<Kind> {
    world.gateway.agents().presence(&agent.into()).map(Presence::kind)
}

#[test]
fn whoever_has_not_logged_in_before_the_shift_is_told_of_once() {
    let mut world = World::new(plans("", SHIFTS), 1);
    run_to(&mut world, 7, 49, 59);
    assert_eq!(told(&world), []);
    run_to(&mut world, 7, 50, 0);
    let begins_us = world.now().wall.as_micros() + 600_000_000;
    let missed = ("8".to_owned(), Told::MissesShift { hotline: "property".into(), begins_us });
    assert_eq!(told(&world), std::slice::from_ref(&missed));
    world.reload(plans("", SHIFTS));
    run_to(&mut world, 7, 50, 30);
    assert_eq!(told(&world), [missed], "once, though the configuration was read again in this minute");
    order(&mut world, "9", Order::Ready);
    run_to(&mut world, 23, 59, 0);
    let misses =
        |world: &World| told(world).iter().filter(|(_, what)| matches!(what, Told::MissesShift { .. })).count();
    assert_eq!(misses(&world), 1, "9 was there in time");
    // The next day 8 has a shift again; 9's last day is over.
    order(&mut world, "9", Order::LogOut);
    world.run_for(secs(24.0 * 3_600.0));
    assert_eq!(misses(&world), 2);
}

#[test]
fn nobody_leaves_an_open_hotline_before_the_successor_is_there() {
    let mut world = World::new(plans("", SHIFTS), 1);
    run_to(&mut world, 7, 40, 0);
    order(&mut world, "8", Order::Ready);
    order(&mut world, "8", Order::LogOut);
    assert_eq!(kind(&world, "8"), Some(Kind::LoggedOut), "it is not open yet");
    order(&mut world, "8", Order::Ready);
    run_to(&mut world, 15, 40, 0);
    order(&mut world, "9", Order::Ready);
    order(&mut world, "8", Order::LogOut);
    assert_eq!(kind(&world, "8"), Some(Kind::Ready), "9 is early: it is not 9's shift");
    order(&mut world, "9", Order::Pause(None));
    run_to(&mut world, 15, 55, 0);
    order(&mut world, "8", Order::LogOut);
    assert_eq!(kind(&world, "8"), Some(Kind::Ready), "9 pauses");
    order(&mut world, "9", Order::Ready);
    order(&mut world, "8", Order::LogOut);
    assert_eq!(kind(&world, "8"), Some(Kind::LoggedOut));
    order(&mut world, "9", Order::LogOut);
    assert_eq!(kind(&world, "9"), Some(Kind::Ready));
    order(&mut world, "9", Order::LogOutAnyway);
    assert_eq!(kind(&world, "9"), Some(Kind::LoggedOut));
    let (hotline, by) = ("property".into(), By::Api);
    let last: Vec<Told> = told(&world).into_iter().rev().take(3).rev().map(|(_, what)| what).collect();
    let refused = Told::LogOutRefused { hotline: "property".into(), by };
    assert_eq!(last, [refused, Told::LeavesAlone { hotline, by }, Told::LoggedOut { by }]);
}

#[test]
fn shifts_without_login_and_of_strangers_are_faults() {
    let compiled = |text: &str| {
        let hotline = format!("[hotline]\nid = \"p\"\norg = \"物业\"\nnumbers = [\"1\"]\n{HEAD}\n{text}");
        let files = [PlanFile { name: "p".into(), bytes: hotline.into_bytes() }];
        let (_, faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
        faults.iter().map(ToString::to_string).collect::<Vec<String>>().join("\n")
    };
    assert_eq!(compiled(SHIFTS), "");
    let faults = compiled(&SHIFTS.replace("login          = true\n", ""));
    assert!(faults.contains("there are shifts, and nobody logs in"), "{faults}");
    assert!(faults.contains("agents.successor is true, and nobody logs in"), "{faults}");
    let faults = compiled(&SHIFTS.replace("agents = [\"9\"]", "agents = [\"99\"]"));
    assert!(faults.contains("a shift names agent \"99\""), "{faults}");
    let faults = compiled(&SHIFTS.replace("2026-11-22", "2026-10-22"));
    assert!(faults.contains("a shift ends before it begins"), "{faults}");
}

/// The roster stands in a file of its own, which says its faults with its own lines.
#[test]
fn a_roster_is_a_file_of_its_own() {
    const AGENTS: &str = "[agents]\nnumbers = [\"8\", \"9\"]\nlogin = true\nlogin_before_s = 600\nroster = \"desk\"\n";
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(folder.path().join("rosters")).expect("a directory");
    let roster = folder.path().join("rosters/desk.toml");
    let compiled = |agents: &str| {
        let directory = hotline::io::dialplans::Directory(folder.path().to_owned());
        let file = PlanFile { name: "p.toml".into(), bytes: plan_text("", agents).into_bytes() };
        compile(&[file], Library::new(vec![&directory, &BuiltIn]), None, &[])
    };
    let faults = |agents: &str| compiled(agents).1.iter().map(ToString::to_string).collect::<Vec<_>>();

    assert!(faults(AGENTS)[0].contains("agents.roster: there is no roster \"desk\": make rosters/desk.toml"));
    let night = "# this week\n[[shift]]\nagents = [\"8\"]\nhours = [\"daily 20:00-08:00\"]\nto = \"2026-11-22\"\n";
    std::fs::write(&roster, night).expect("writing");
    let (plans, none) = compiled(AGENTS);
    assert!(none.is_empty(), "{none:?}");
    let mut world = World::new(plans, 1);
    run_to(&mut world, 19, 50, 0);
    let missed = told(&world).into_iter().filter(|(_, what)| matches!(what, Told::MissesShift { .. }));
    assert_eq!(missed.map(|(agent, _)| agent).collect::<Vec<_>>(), ["8"]);
    let turns = told(&world).into_iter().filter(|(_, what)| !matches!(what, Told::MissesShift { .. }));
    let hotline = || "property".into();
    let saturday = [Told::ShiftBegan { hotline: hotline() }, Told::ShiftOver { hotline: hotline() }];
    assert_eq!(
        turns.map(|(_, what)| what).collect::<Vec<_>>(),
        saturday,
        "Saturday's, which is on when the run begins"
    );
    let hotline = &compiled(AGENTS).0.hotlines[0];
    let at = |hours: f64| world.now().wall + secs(hours * 3_600.0);
    let on = |hours: f64| hotline.is_on_shift(&"8".into(), at(hours), secs(0.0));
    assert!(on(1.0) && on(12.0), "the last shift lasts past midnight");
    assert!(!on(13.0) && !on(25.0));

    std::fs::write(&roster, format!("{night}\n[[shift]]\nagents = [\"7\"]\nhour = [\"daily 8-9\"]\n"))
        .expect("writing");
    let told = faults(AGENTS);
    let shown = roster.display();
    for fault in [":8: a shift names agent \"7\", whom no call rings: ", ":7: ", ":9: "] {
        assert!(told.iter().any(|line| line.starts_with(&format!("{shown}{fault}"))), "{fault} in {told:#?}");
    }
    let no_login = faults(&AGENTS.replace("login = true\n", ""));
    assert!(no_login.iter().any(|line| line.contains("agents.roster is written, and nobody logs in")), "{no_login:#?}");
    assert!(faults(&AGENTS.replace("desk", "../desk"))[0].contains("there is no roster"), "no way out of the folder");
}
