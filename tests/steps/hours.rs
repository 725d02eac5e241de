//! Hours, holidays, outages.

use hotline::call::fact::{ClosedWhy, What};
use hotline::cdr::{Outcome, Record};
use hotline::dialplan::compile::{PlanFile, compile};
use hotline::dialplan::prompt::Library;
use hotline::io::dialplans::BuiltIn;
use hotline::sim::world::World;

use super::*;

const HOURS: &str = r#"
[agents]
numbers = ["8"]

[hours]
open = ["mon-fri 09:00-18:00"]
holidays = "cn"
closed = "after_hours"

[step.after_hours]
do = "message"
text = "对不起，请您留下您的联系电话我们查询后将尽快与您联系，好吗？"
longest_s = 30
"#;

/// The first call of a world whose clock showed 2026-11-22 07:17:24 in Shanghai, a Sunday, so long ago.
fn first_call_after(hours: f64, plan: &str) -> (World, Record) {
    let mut world = World::new(plans("", plan), 1);
    world.agents.expect([answers(1.0)]);
    world.run_for(secs(hours * 3_600.0));
    world.call(NUMBER, patience(90.0, Some(10.0)));
    let (world, mut records) = finish(world);
    (world, records.remove(0))
}

fn kinds(world: &World) -> Vec<&What> {
    let told = |f: &&Fact| matches!(f.what, What::Closed { .. } | What::CalendarUncovered { .. });
    world.facts.iter().filter(told).map(|f| &f.what).collect()
}

#[test]
fn closed_on_sunday_and_open_on_monday() {
    let (world, record) = first_call_after(0.0, HOURS);
    assert_eq!(kinds(&world), [&What::Closed { why: ClosedWhy::Hours, holiday: None }]);
    assert_eq!((record.outcome, record.step.as_deref()), (Some(Outcome::Overflow), Some("after_hours")));
    assert_eq!(record.closed, Some(ClosedWhy::Hours));

    let (world, record) = first_call_after(27.0, HOURS);
    assert_eq!(kinds(&world), [] as [&What; 0]);
    assert_eq!((record.outcome, record.closed), (Some(Outcome::Answered), None));
}

#[test]
fn without_a_step_a_closed_hotline_rejects() {
    let plan = HOURS.split("closed =").next().expect("a part");
    let (_, record) = first_call_after(0.0, plan);
    assert_eq!((record.outcome, reason(&record).as_str()), (Some(Outcome::Rejected), "closed"));
    assert_eq!(record.rings, Some(0), "nobody was rung");
}

#[test]
fn a_year_that_the_calendar_does_not_know_is_ordinary_and_told() {
    // 2028-10-02 10:17, a Monday.
    let (world, record) = first_call_after((680.0 * 24.0) + 3.0, HOURS);
    assert_eq!(kinds(&world), [&What::CalendarUncovered { calendar: "cn".to_owned() }]);
    assert_eq!(record.outcome, Some(Outcome::Answered));
}

#[test]
fn an_outage_comes_before_everything() {
    let plan = format!(
        "{HOURS}\n[outage]\nactive = true\nthen = \"out\"\n[step.out]\ndo = \"say\"\ntext = \"对不起，线路正在调整，请您稍后再来电，好吗？\"\n"
    );
    let (world, record) = first_call_after(27.0, &plan);
    assert_eq!(kinds(&world), [&What::Closed { why: ClosedWhy::Outage, holiday: None }]);
    assert_eq!((record.outcome, reason(&record).as_str()), (Some(Outcome::Overflow), "announced"));
    let idle = plan.replace("active = true", "active = false");
    assert_eq!(first_call_after(27.0, &idle).1.outcome, Some(Outcome::Answered));
}

#[test]
fn faults_of_hours() {
    let text = format!(
        "[hotline]\nid = \"p\"\norg = \"物业\"\nnumbers = [\"1\"]\n{HEAD}\n[agents]\nnumbers = [\"8\"]\n[hours]\n\
         open = [\"mon-fri 09:00-12:00\", \"fri 11:00-13:00\", \"noon\"]\nholidays = \"atlantis\"\nclosed = \"nowhere\"\n\
         [[hours.season]]\nfrom = \"05-01\"\nto = \"09-30\"\nopen = []\n\
         [[hours.season]]\nfrom = \"09-30\"\nto = \"10-32\"\n[[hours.season]]\nfrom = \"09-30\"\nto = \"10-31\"\nopen = []\n"
    );
    let files = [PlanFile { name: "p".into(), bytes: text.into_bytes() }];
    let (_, mut faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
    faults.sort();
    let shown: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.line, f.what)).collect();
    assert_eq!(
        shown,
        [
            "12: hours.open: \"fri 11:00-13:00\" overlaps \"mon-fri 09:00-12:00\"",
            "12: hours.open: \"noon\" is no span of hours",
            "13: hours.holidays: there is no calendar \"atlantis\"",
            "14: hours.closed: there is no step \"nowhere\"",
            "19: a season without \"open\"",
            "21: season.to \"10-32\" is no day of the year",
            "22: this season overlaps that from 05-01 to 09-30",
        ]
    );
}
