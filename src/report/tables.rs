//! The agents and the hours of a report as tables: one list of columns feeds text, CSV and HTML.

use super::agents::{AgentFigures, strokes};
use super::callbacks::{Callbacks, State};
use super::interval::Ratio;
use super::tally::Sums;
use super::{Hour, Report, Share};
use crate::cdr::RingEnd;
use crate::ids::HotlineId;

/// A table of plain words and numbers; an unknown value is an empty cell.
pub(super) struct Table {
    pub name: &'static str,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

pub(super) fn hours(report: &Report) -> Table {
    let columns = vec!["hour", "offered", "answered", "within max_rings", "left", "otherwise"];
    let row = |hour: &Hour| {
        let counts = [hour.offered, hour.answered, hour.answered_within_target, hour.left, hour.otherwise];
        let name = format!("{:02}:00", hour.hour);
        std::iter::once(name).chain(counts.map(|count| count.to_string())).collect()
    };
    Table { name: "hours", columns, rows: report.hours.iter().map(row).collect() }
}

/// "tried in time" and "reached" are shares of the callers who had not called again before anybody tried.
pub(super) fn callbacks(report: &Report) -> Table {
    let columns = vec![
        "hotline",
        "owed",
        "open",
        "tried in time",
        "reached",
        "called again",
        "wrong number",
        "given up",
        "attempts",
        "first attempt s, mean",
        "p90",
    ];
    let row = |(hotline, figures): (&HotlineId, &Callbacks)| {
        let with =
            |states: &[State]| states.iter().filter_map(|state| figures.by_state.get(state)).sum::<u64>().to_string();
        vec![
            hotline.to_string(),
            figures.owed.to_string(),
            with(&[State::Open, State::Taken]),
            percent(figures.tried_in_time),
            percent(figures.reached),
            with(&[State::CalledAgain]),
            with(&[State::WrongNumber]),
            with(&[State::GivenUp]),
            figures.attempts.to_string(),
            figures.to_first_attempt_ms.mean.map(seconds).unwrap_or_default(),
            figures.to_first_attempt_ms.p90.map(seconds).unwrap_or_default(),
        ]
    };
    Table { name: "callbacks", columns, rows: report.callbacks.iter().map(row).collect() }
}

pub(super) fn classes(report: &Report) -> Table {
    let columns = ["hotline", "class"].into_iter().chain(Sums::COLUMNS).collect();
    let rows = report.classes.iter().flat_map(|(hotline, classes)| {
        classes.iter().map(|(class, sums)| {
            let mut row = vec![hotline.to_string(), class.clone()];
            row.extend(sums.cells());
            row
        })
    });
    Table { name: "classes", columns, rows: rows.collect() }
}

/// "returned" and "satisfied" (the two better grades) with 95 % intervals by Wilson.
pub(super) fn surveys(report: &Report) -> Table {
    let columns = vec![
        "hotline",
        "asked",
        "returned",
        "question",
        "n",
        "very satisfied",
        "satisfied",
        "average",
        "poor",
        "1 or 2",
        "mean",
        "after",
    ];
    let calls = report.surveys.iter().map(|(hotline, surveys)| (hotline, surveys, "call"));
    let callbacks = report.surveys_after_callbacks.iter().map(|(hotline, surveys)| (hotline, surveys, "callback"));
    let rows = calls.chain(callbacks).flat_map(|(hotline, surveys, after)| {
        surveys.questions.iter().zip(1..).map(move |(question, number): (_, u32)| {
            let mut row = vec![hotline.to_string(), surveys.asked.to_string(), interval(surveys.returned)];
            row.extend([number.to_string(), question.n.to_string()]);
            row.extend(question.grades.map(|count| count.to_string()));
            row.push(interval(question.satisfied));
            row.push(question.mean.map(|mean| format!("{mean:.2}")).unwrap_or_default());
            row.push(after.to_owned());
            row
        })
    });
    Table { name: "surveys", columns, rows: rows.collect() }
}

fn interval(ratio: Option<Ratio>) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    ratio.map(|r| format!("{} % ({}-{})", percent(r.ratio), percent(r.low), percent(r.high))).unwrap_or_default()
}

pub(super) fn agents(report: &Report) -> Table {
    let columns = vec![
        "agent",
        "rung",
        "no answer",
        "declined",
        "lost race",
        "passed by",
        "answered",
        "within max_rings",
        "had",
        "talk s",
        "hold s",
        "AHT s",
        "ready s",
        "wrap-up s",
        "paused s",
        "occupancy",
        "hung up",
        "tally",
        "rostered s",
        "attendance",
        "outbound",
        "outbound s",
        "outbound left s",
        "internal s",
    ];
    let rows = report.agents.iter().map(|(agent, figures)| agent_row(agent.as_str(), figures)).collect();
    Table { name: "agents", columns, rows }
}

/// AHT: talk + hold a call, and the wrap-up time spread over the calls.
fn agent_row(agent: &str, figures: &AgentFigures) -> Vec<String> {
    let ended = |end: RingEnd| figures.ring_ends.get(&end).copied().unwrap_or(0).to_string();
    let duty = |ms: fn(&super::Duty) -> u64| figures.duty.as_ref().map(|duty| seconds(ms(duty))).unwrap_or_default();
    vec![
        agent.to_owned(),
        figures.rung.to_string(),
        ended(RingEnd::NoAnswer),
        ended(RingEnd::Declined),
        ended(RingEnd::LostRace),
        percent(figures.passed_by),
        figures.answered.to_string(),
        percent(figures.answered_within_target),
        figures.had.to_string(),
        figures.talk_ms.mean.map(seconds).unwrap_or_default(),
        figures.hold_ms.mean.map(seconds).unwrap_or_default(),
        figures.average_handling_ms().map(seconds).unwrap_or_default(),
        duty(|duty| duty.ready_ms),
        duty(|duty| duty.wrap_up_ms),
        duty(|duty| duty.paused_ms),
        figures.occupancy.map(|ratio| format!("{:.1} %", ratio * 100.0)).unwrap_or_default(),
        percent(figures.ended_by_agent),
        strokes(figures.answered),
        duty(|duty| duty.rostered_ms),
        figures
            .duty
            .and_then(|duty| duty.attendance())
            .map(|ratio| format!("{:.1} %", ratio * 100.0))
            .unwrap_or_default(),
        figures.outbound.to_string(),
        seconds(figures.outbound_ms),
        figures.outbound_left_ms.map(seconds).unwrap_or_default(),
        seconds(figures.internal_ms),
    ]
}

pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

fn percent(share: Share) -> String {
    share.ratio.map(|ratio| format!("{:.1} %", ratio * 100.0)).unwrap_or_default()
}
