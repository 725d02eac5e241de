use super::*;
use crate::ids::Random;

/// A standard normal number (Box and Muller 1958).
fn normal(random: &mut Random) -> f64 {
    let unit = |random: &mut Random| (f64::from(random.u32()) + 0.5) / 4_294_967_296.0;
    let (radius, angle) = ((-2.0 * unit(random).ln()).sqrt(), 2.0 * std::f64::consts::PI * unit(random));
    radius * angle.cos()
}

const MEAN: f64 = 88.0;
const BETWEEN: f64 = 4.0;
const WITHIN: f64 = 8.0;

/// A team with known truth: agents' means N(88, 4²), a call's score around its agent's mean N(0, 8²).
fn team(agents: usize, calls: usize, random: &mut Random) -> (BTreeMap<AgentNo, f64>, BTreeMap<AgentNo, Vec<Scored>>) {
    let truth: BTreeMap<AgentNo, f64> =
        (0..agents).map(|n| (AgentNo::from(n.to_string()), MEAN + BETWEEN * normal(random))).collect();
    let mut scores = BTreeMap::new();
    for (agent, mean) in &truth {
        let own = (0..calls).map(|_| Scored { score: mean + WITHIN * normal(random), weight: 1.0 }).collect();
        scores.insert(agent.clone(), own);
    }
    (truth, scores)
}

struct Trial {
    covered: f64,
    half: f64,
    shrunk_error: f64,
    raw_error: f64,
    reliability: f64,
    wrongly_apart: f64,
}

fn trial(agents: usize, calls: usize, times: usize) -> Trial {
    let mut random = Random::from_number(20_261_122 + calls as u64);
    let (mut covered, mut half, mut shrunk, mut raw, mut reliability, mut wrong) = (0, 0.0, 0.0, 0.0, 0.0, 0);
    for _ in 0..times {
        let (truth, scores) = team(agents, calls, &mut random);
        let found = estimate(&scores).unwrap();
        reliability += found.reliability;
        for (agent, own) in &found.agents {
            covered += usize::from((own.low..=own.high).contains(&truth[agent]));
            half += (own.high - own.low) / 2.0;
            shrunk += (own.shrunk - truth[agent]).powi(2);
            raw += (own.mean - truth[agent]).powi(2);
            let middle = truth.values().sum::<f64>() / truth.len() as f64;
            wrong += usize::from(match own.group {
                Group::Above => truth[agent] < middle,
                Group::Below => truth[agent] > middle,
                Group::Same => false,
            });
        }
    }
    let all = (agents * times) as f64;
    Trial {
        covered: covered as f64 / all,
        half: half / all,
        shrunk_error: (shrunk / all).sqrt(),
        raw_error: (raw / all).sqrt(),
        reliability: reliability / times as f64,
        wrongly_apart: wrong as f64 / all,
    }
}

/// 95 % ± 1 of the ranges hold the truth, and leaning on the team halves nothing but luck. 12,000 ranges each: the figure itself
/// is uncertain by 0.4 points.
#[test]
fn ranges_cover_the_truth() {
    for (calls, raw, shrunk, half) in [(2, 5.66, 3.3, 6.8), (5, 3.58, 2.7, 5.4)] {
        let found = trial(30, calls, 400);
        let Trial { covered, .. } = found;
        assert!((0.94..=0.96).contains(&covered), "{calls} calls: {covered}");
        assert!((found.raw_error - raw).abs() < 0.15, "{}", found.raw_error);
        assert!((found.shrunk_error - shrunk).abs() < 0.25, "{}", found.shrunk_error);
        assert!((found.half - half).abs() < 0.5, "{}", found.half);
        assert!(found.wrongly_apart < 0.01, "{}", found.wrongly_apart);
    }
}

/// Reliability by the known truth: 16 / (16 + 64 / n).
#[test]
fn no_order_where_the_scores_cannot_tell_one() {
    let found = trial(40, 16, 40).reliability;
    assert!((found - 0.8).abs() < 0.04, "{found}");
    let mut random = Random::from_number(3);
    let (_, month) = team(30, 5, &mut random);
    let month = estimate(&month).unwrap();
    assert!(month.reliability < RANKED_FROM && month.ranked().is_none(), "{}", month.reliability);
    let (_, year) = team(30, 60, &mut random);
    let year = estimate(&year).unwrap();
    let order = year.ranked().unwrap();
    assert_eq!(order.len(), 30);
    assert!(year.agents[order[0]].shrunk > year.agents[order[29]].shrunk);
    assert!(year.agents.values().any(|own| own.group == Group::Below));
}

/// One agent with two calls leans further on the team than one with ten.
#[test]
fn fewer_calls_lean_further() {
    let mut random = Random::from_number(5);
    let (_, mut scores) = team(20, 8, &mut random);
    let set = |n: usize| vec![Scored { score: 60.0, weight: 1.0 }; n];
    scores.insert(AgentNo::from("few"), set(2));
    scores.insert(AgentNo::from("many"), set(10));
    let found = estimate(&scores).unwrap();
    let of = |agent: &str| found.agents[&AgentNo::from(agent)];
    let (few, many) = (of("few"), of("many"));
    assert!(many.shrunk < few.shrunk && few.shrunk < found.mean, "{} {} {}", many.shrunk, few.shrunk, found.mean);
    assert!(few.high - few.low > many.high - many.low);
    assert_eq!((few.mean, many.group), (60.0, Group::Below));
}

#[test]
fn too_few_to_tell_anything() {
    let one = |score| vec![Scored { score, weight: 1.0 }];
    let team = |agents: &[(&str, Vec<Scored>)]| {
        estimate(&agents.iter().map(|(agent, own)| (AgentNo::from(*agent), own.clone())).collect())
    };
    assert_eq!(team(&[]), None);
    assert_eq!(team(&[("1", one(80.0)), ("2", one(90.0)), ("3", one(90.0))]), None);
    assert_eq!(team(&[("1", one(80.0)), ("2", [one(80.0), one(90.0)].concat())]), None);
    // The same score throughout is no spread, and no fault.
    let same = team(&[("1", one(90.0)), ("2", one(90.0)), ("3", [one(90.0), one(90.0)].concat())]).unwrap();
    assert!(same.agents.values().all(|own| (own.shrunk - 90.0).abs() < 0.01 && own.group == Group::Same));
}

/// PyPI `statsmodels`' and everybody's formula; values computed with Python 3.11's floats.
#[test]
fn wilsons_interval() {
    let expected = [
        (5, 5, 0.565_517_535_2, 1.0),
        (4, 5, 0.375_534_629_8, 0.963_775_891_4),
        (3, 3, 0.438_502_968_2, 1.0),
        (12, 12, 0.757_505_993_3, 1.0),
        (0, 10, 0.0, 0.277_532_799_9),
    ];
    for (count, n, low, high) in expected {
        let found = wilson(count, n).unwrap();
        assert!((found.low - low).abs() < 1e-8 && (found.high - high).abs() < 1e-8, "{found:?}");
    }
    assert_eq!((wilson(0, 0), wilson(2, 1)), (None, None));
}
