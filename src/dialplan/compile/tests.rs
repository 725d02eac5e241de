use super::super::plan::{Next, Ringback, Strategy};
use super::super::prompt::tests::Memory;
use super::*;
use std::time::Duration;

/// The dialplan of the contract.
const CONTRACT: &str = r#"
[hotline]
id        = "property"
org       = "物业"
numbers   = ["4008001234"]
language  = "zh-CN"
time_zone = "Asia/Shanghai"

[answer]
max_rings = 3                            # 三声内接听
cadence   = "cn"                         # 1 s on, 4 s off: a ring is 5 s
ringback  = "network"                    # or "gateway"
short_abandon_ms = 5000

[greeting]
text = "您好,{org}客户服务中心{agent_no}号接待员为您服务"

[agents]
numbers  = ["8", "9"]
strategy = "round_robin"
ring_s   = 20
nobody   = "busy_tone"
"#;

fn prompts() -> Memory {
    Memory::with(
        "zh-CN",
        &[
            ("您好，物业客户服务中心八号接待员为您服务。", "greet/8.wav"),
            ("您好", "hello.wav"),
            ("物业客户服务中心", "org.wav"),
            ("九号", "no.9.wav"),
            ("接待员为您服务", "serves.wav"),
            ("不好意思，让您久等了", "late.wav"),
            ("再见", "bye.wav"),
        ],
    )
}

fn run(files: &[(&str, &str)], roster: &[&str]) -> (Plans, Vec<String>) {
    let files: Vec<PlanFile> =
        files.iter().map(|(name, text)| PlanFile { name: (*name).into(), bytes: text.as_bytes().to_vec() }).collect();
    let named = |n: &&str| Member { name: format!("Agent {n}"), ..Member::default() };
    let roster: Roster = roster.iter().map(|n| (AgentNo::from(*n), named(n))).collect();
    let prompts = prompts();
    let (plans, mut faults) = compile(&files, Library::new(vec![&prompts]), Some(&roster), &[TargetName::from("duty")]);
    faults.sort();
    (plans, faults.iter().map(Fault::to_string).collect())
}

fn faults(text: &str) -> Vec<String> {
    run(&[("p", text)], &["8", "9", "77"]).1
}

#[test]
fn the_contracts_dialplan() {
    let (plans, faults) = run(&[("p", CONTRACT)], &["8", "9"]);
    assert_eq!(faults, [""; 0]);
    let hotline = &plans.by_number["4008001234"];
    assert_eq!((hotline.id.as_str(), hotline.org.as_str()), ("property", "物业"));
    assert_eq!((hotline.answer.max_rings, hotline.answer.ringback), (3, Ringback::Network));
    assert_eq!(hotline.answer.cadence.period, Duration::from_secs(5));
    assert_eq!(hotline.answer.short_abandon, Duration::from_secs(5));
    assert_eq!((hotline.agents.strategy, &hotline.agents.nobody), (Strategy::RoundRobin, &Next::BusyTone));
    assert_eq!(hotline.agents.ring, Duration::from_secs(20));
    assert_eq!(hotline.version.len(), 16);
    let eight = &hotline.greeting.by_agent[&AgentNo::from("8")];
    assert_eq!(eight.normal.text, "您好,物业客户服务中心8号接待员为您服务");
    assert_eq!(eight.normal.files, ["greet/8.wav"]);
    assert_eq!(eight.late.text, "不好意思,让您久等了您好,物业客户服务中心8号接待员为您服务");
    assert_eq!(eight.late.files, ["late.wav", "greet/8.wav"]);
    let nine = &hotline.greeting.by_agent[&AgentNo::from("9")];
    assert_eq!(nine.normal.files, ["hello.wav", "org.wav", "no.9.wav", "serves.wav"]);
}

#[test]
fn what_is_left_out_has_the_defaults_shown() {
    let short = "[hotline]\nid = \"property\"\norg = \"物业\"\nnumbers = [\"4008001234\"]\n\
                     [greeting]\ntext = \"您好,{org}客户服务中心{agent_no}号接待员为您服务\"\n[agents]\nnumbers = [\"8\", \"9\"]";
    let ((long, _), (short, faults)) = (run(&[("p", CONTRACT)], &["8", "9"]), run(&[("p", short)], &["8", "9"]));
    assert_eq!(faults, [""; 0]);
    let (long, short) = (&long.hotlines[0], &short.hotlines[0]);
    assert_eq!((&long.answer, &long.language, &long.time_zone), (&short.answer, &short.language, &short.time_zone));
    assert_eq!(format!("{:?}", long.agents), format!("{:?}", short.agents));
}

#[test]
fn every_required_key() {
    assert_eq!(
        faults("[hotline]\n\n[agents]\nnumbers = []\n"),
        [
            "p:1: [greeting] has no \"text\": add text = \"…\" below [greeting]",
            "p:1: [hotline] has no \"id\": add id = \"…\"",
            "p:1: [hotline] has no \"numbers\": add numbers = [\"…\"]",
            "p:1: [hotline] has no \"org\": add org = \"…\"",
            "p:4: agents.numbers is empty: write numbers = [\"…\"]",
        ]
    );
}

#[test]
fn every_fault_with_its_line() {
    let expected: Vec<&str> = include_str!("faulty.txt").lines().collect();
    assert_eq!(faults(include_str!("faulty.toml")), expected);
}

#[test]
fn words_near_the_right_ones() {
    let with = |from: &str, to: &str| faults(&CONTRACT.replace(from, to));
    let mistyped = with("\"round_robin\"", "\"roundrobin\"");
    assert_eq!(mistyped, ["p:20: agents.strategy \"roundrobin\" is not known: did you mean \"round_robin\"?"]);
    let mistyped = with("\"busy_tone\"", "\"busytone\"");
    assert_eq!(mistyped, ["p:22: agents.nobody: there is no step \"busytone\": did you mean \"busy_tone\"?"]);
    let mistyped = with("{agent_no}", "{agentno}");
    assert_eq!(mistyped, ["p:16: greeting.text: unknown placeholder {agentno}: did you mean {agent_no}?"]);
    let mistyped = with("{agent_no}", "{agent_no");
    assert_eq!(mistyped, ["p:16: greeting.text: a { without its }: write {org} or {agent_no}"]);
}

#[test]
fn a_number_or_an_id_in_two_plans() {
    let (_, faults) = run(&[("a", CONTRACT), ("b", CONTRACT)], &["8", "9"]);
    assert_eq!(
        faults,
        [
            "b:3: the id \"property\" is taken by a:3: give every hotline an id of its own",
            "b:5: the number \"4008001234\" is taken by a:5: a number belongs to one hotline",
        ]
    );
}

#[test]
fn what_no_prompt_says_is_named_once() {
    let text = CONTRACT.replace("[\"8\", \"9\"]", "[\"9\", \"77\"]").replace("您好,", "喂,");
    let found = faults(&text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("p:16: greeting.text: no zh-CN prompt says \"77号\" (agent 77): record it"),
        "{}",
        found[0]
    );
    assert!(found[1].starts_with("p:16: greeting.text: no zh-CN prompt says \"喂\": record it"), "{}", found[1]);
    let late = faults(&CONTRACT.replace("[agents]", "late = \"真对不起,再见\"\n[agents]"));
    assert!(late[0].starts_with("p:18: greeting.late: no zh-CN prompt says \"真对不起\": record it"), "{}", late[0]);
    let german = faults(&CONTRACT.replace("zh-CN", "de"));
    assert!(german[0].contains("has no \"late\"") && german[1].contains("no prompts in de"), "{german:#?}");
}

#[test]
fn versions_follow_the_bytes() {
    assert_eq!(version(b"", b""), "e3b0c44298fc1c14");
}
