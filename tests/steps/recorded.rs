//! What callers are told of their recording.

use hotline::call::fact::{RecordingStatus, What};
use hotline::gateway::Input;
use hotline::sim::world::World;

use super::{NUMBER, answers, finish, patience, plans, secs};

#[test]
fn who_cannot_be_recorded_is_told_so_and_the_next_one_is_recorded() {
    let mut world =
        World::new(plans("", "[agents]\nnumbers = [\"8\"]\n\n[recording]\nunrecorded = \"谢谢，再见。\"\n"), 1);
    for full in [true, false] {
        world.agents.expect([answers(1.0)]);
        world.tell(Input::DiskFull(full));
        world.call(NUMBER, patience(30.0, Some(20.0))).expect("a call");
        world.run_for(secs(10.0));
        // What was begun goes on as it began.
        world.tell(Input::DiskFull(!full));
        world.run_for(secs(60.0));
    }
    let kept = world.facts.iter().filter_map(|f| match &f.what {
        What::RecordingStarted { .. } => Some(true),
        What::RecordingClosed { status: RecordingStatus::None, reason, .. } => {
            assert_eq!(reason.as_deref(), Some("disk_full"));
            Some(false)
        }
        _ => None,
    });
    assert_eq!(kept.collect::<Vec<bool>>(), [false, true], "one row each");
    let (_, records) = finish(world);
    let said: Vec<bool> =
        records.iter().map(|r| r.greeting.as_ref().expect("a greeting").text.ends_with("谢谢，再见。")).collect();
    assert_eq!(said, [true, false]);
    assert_eq!(records[0].recording.status, RecordingStatus::None);
}
