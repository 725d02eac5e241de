use super::*;

fn week(spans: &[&str]) -> Week {
    Week(spans.iter().map(|text| Span::parse(text).unwrap()).collect())
}

fn hours(zone: &str, spans: &[&str]) -> Hours {
    Hours {
        zone: TimeZone::get(zone).unwrap(),
        open: week(spans),
        seasons: Vec::new(),
        calendar: None,
        closed: Next::Unavailable,
        holiday: Next::Unavailable,
    }
}

fn at(rfc3339: &str) -> Wall {
    Wall::from_micros(rfc3339.parse::<Timestamp>().unwrap().as_microsecond())
}

/// Whether it is open at local times of Shanghai.
fn open(hours: &Hours, local: &str) -> Opening<'static> {
    match hours.at(at(&format!("{local}:00+08:00"))) {
        Opening::Open => Opening::Open,
        Opening::Closed => Opening::Closed,
        Opening::Holiday(name) => Opening::Holiday(Box::leak(name.to_owned().into_boxed_str())),
    }
}

#[test]
fn a_week_with_a_break_at_noon() {
    let desk = hours("Asia/Shanghai", &["mon-fri 09:00-12:00", "mon-fri 13:30-18:00", "sat 09:00-12:00"]);
    for (local, is) in [
        ("2026-11-20T08:59", Opening::Closed),
        ("2026-11-20T09:00", Opening::Open),
        ("2026-11-20T11:59", Opening::Open),
        ("2026-11-20T12:00", Opening::Closed),
        ("2026-11-20T13:30", Opening::Open),
        ("2026-11-20T18:00", Opening::Closed),
        ("2026-11-21T11:00", Opening::Open),
        ("2026-11-21T14:00", Opening::Closed),
        ("2026-11-22T10:00", Opening::Closed),
    ] {
        assert_eq!(open(&desk, local), is, "{local}");
    }
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    let night = hours("Asia/Shanghai", &["sun 22:00-06:00"]);
    assert_eq!(open(&night, "2026-11-22T21:59"), Opening::Closed);
    assert_eq!(open(&night, "2026-11-22T22:00"), Opening::Open);
    assert_eq!(open(&night, "2026-11-23T05:59"), Opening::Open);
    assert_eq!(open(&night, "2026-11-23T06:00"), Opening::Closed);
    assert_eq!(open(&night, "2026-11-22T03:00"), Opening::Closed);
}

#[test]
fn holidays_make_up_workdays_and_years_that_nobody_told() {
    let bytes = include_bytes!("../../../dialplans/calendars/cn.toml");
    let cn = Arc::new(Calendar::read("cn", "cn.toml", bytes).0);
    let office = Hours { calendar: Some(cn), ..hours("Asia/Shanghai", &["mon-thu 09:00-18:00", "fri 09:00-16:00"]) };
    assert_eq!(open(&office, "2026-10-01T10:00"), Opening::Holiday("国庆节"), "a Thursday");
    assert_eq!(open(&office, "2026-10-08T10:00"), Opening::Open);
    assert_eq!(open(&office, "2026-02-14T10:00"), Opening::Open, "a Saturday that is worked");
    assert_eq!(open(&office, "2026-02-14T17:00"), Opening::Closed, "with the hours of a Friday");
    assert_eq!(open(&office, "2026-10-10T17:00"), Opening::Open, "with the hours of a Wednesday");
    assert_eq!(open(&office, "2028-10-02T10:00"), Opening::Open, "an ordinary Monday, for all we know");
    assert_eq!(office.uncovered(at("2028-10-02T10:00:00+08:00")), Some("cn"));
    assert_eq!(office.uncovered(at("2026-10-02T10:00:00+08:00")), None);
    assert_eq!(office.guessed(at("2026-12-31T15:59:59Z")), None, "it is still the old year in Shanghai");
    assert_eq!(office.guessed(at("2026-12-31T16:00:00Z")), Some("cn"));
}

#[test]
fn seasons() {
    let day = |text| DayOfYear::parse(text).unwrap();
    let summer = Season { from: day("05-01"), to: day("09-30"), open: week(&["mon-sat 13:30-18:00"]) };
    let rooms = Hours { seasons: vec![summer.clone()], ..hours("Asia/Shanghai", &["mon-sat 13:00-17:30"]) };
    assert_eq!(open(&rooms, "2026-04-30T17:45"), Opening::Closed);
    assert_eq!(open(&rooms, "2026-05-01T17:45"), Opening::Open);
    assert_eq!(open(&rooms, "2026-09-30T13:15"), Opening::Closed);
    assert_eq!(open(&rooms, "2026-10-01T13:15"), Opening::Open);
    let winter = Season { from: day("10-01"), to: day("04-30"), open: Week::default() };
    let turn = Season { from: day("12-31"), to: day("01-01"), open: Week::default() };
    assert!(!summer.overlaps(&winter) && winter.overlaps(&turn) && turn.overlaps(&winter) && !turn.overlaps(&summer));
    assert!(winter.holds(day("02-29")) && !winter.holds(day("05-01")));
}

/// Berlin: the clocks go from 02:00 to 03:00 on 29 March 2026 and from 03:00 to 02:00 on 25 October.
#[test]
fn clock_changes_move_no_span() {
    let shop = hours("Europe/Berlin", &["sun 02:30-09:00"]);
    let open = |utc: &str| shop.at(at(utc)) == Opening::Open;
    assert!(!open("2026-03-29T00:59:59Z") && open("2026-03-29T01:00:00Z"), "02:30 never comes: it is 03:00 at once");
    assert!(open("2026-03-29T06:59:59Z") && !open("2026-03-29T07:00:00Z"), "09:00 of summer time");
    assert!(open("2026-10-25T00:30:00Z") && !open("2026-10-25T01:15:00Z"), "02:30 comes, and then 02:15 once more");
    assert!(open("2026-10-25T01:30:00Z") && open("2026-10-25T07:59:59Z") && !open("2026-10-25T08:00:00Z"));
}

#[test]
fn what_is_written_and_what_is_not() {
    for good in [
        "mon-fri 09:00-12:00",
        "sat,sun 10:00-16:00",
        "daily 00:00-24:00",
        "fri-mon 22:00-06:00",
        "mon,wed-thu 01:00-02:00",
    ] {
        assert!(Span::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "mon",
        "mon 9:00-12:00",
        "mon-fri 09:00",
        "mo 09:00-10:00",
        "mon 09:00-24:01",
        "mon 24:00-06:00",
        "mon 09:00-09:00",
        "mon 09:60-10:00",
        "mon- 09:00-10:00",
        "Mon 09:00-10:00",
    ] {
        assert!(Span::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(DayOfYear::parse("02-29").map(|d| d.to_string()).as_deref(), Some("02-29"));
    assert!(["2-29", "02-30", "13-01", "0229", ""].iter().all(|bad| DayOfYear::parse(bad).is_none()));
    let overlap = |spans: &[&str]| week(spans).overlap();
    assert_eq!(overlap(&["mon-fri 09:00-12:00", "mon-fri 12:00-13:00"]), None);
    assert_eq!(overlap(&["mon-fri 09:00-12:00", "fri 11:00-13:00"]), Some((0, 1)));
    assert_eq!(overlap(&["mon 05:00-07:00", "sun 22:00-06:00"]), Some((1, 0)), "over the week's turn");
    assert_eq!(overlap(&["daily 00:00-24:00", "tue 12:00-13:00"]), Some((0, 1)));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z,-]{0,9} ?[0-9:-]{0,12}\\PC{0,3}") {
        let _ = (Span::parse(&text), DayOfYear::parse(&text));
    }

    /// Minute by minute against a naive count.
    #[test]
    fn a_week_without_holidays(from in 0..1440u16, long in 1..1440u16, day in 0..7usize, minute in 0..10_080i64) {
        let clock = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
        let to = (from + long) % 1440;
        proptest::prop_assume!(to != from);
        let open = hours("Asia/Shanghai", &[&format!("{} {}-{}", WEEKDAYS[day].0, clock(from), clock(to))]);
        let monday = at("2026-11-16T00:00:00+08:00").as_micros();
        let begins = i64::from(from) + day as i64 * 1_440;
        let since = (minute - begins).rem_euclid(10_080);
        let expected = since < i64::from(long);
        let found = open.at(Wall::from_micros(monday + minute * 60_000_000)) == Opening::Open;
        proptest::prop_assert_eq!(found, expected);
    }
}
