//! A draw as files that anybody can check without this program: `docs/verify_draw.py` does.

use std::fmt::Write as _;

use super::lot::{Drawn, Pick};
use super::policy::Policy;
use super::seed::Seed;

/// The first line of `frame.csv`.
pub const FRAME_HEADER: &str = "period,target,second_one_in,agent,n,call,stratum,weight";

/// The first line of `draw.csv`.
pub const DRAW_HEADER: &str = "agent,n,call,stratum,weight,of,second";

/// Every call that had a chance, in the part that it had it in.
pub fn frame(period: &str, policy: &Policy, drawn: &[Drawn]) -> String {
    let mut out = format!("{FRAME_HEADER}\r\n");
    for part in drawn.iter().flat_map(|drawn| &drawn.parts) {
        for found in &part.calls {
            // Agents' numbers are digits, classes come from a closed list: nothing here needs quotes.
            let _ = write!(
                out,
                "{period},{},{},{},{},{},{},{}\r\n",
                policy.target, policy.second_one_in, part.agent, part.n, found.call, found.stratum, found.weight
            );
        }
    }
    out
}

/// What was taken. Which calls are heard twice stays out of it until the seed is `revealed`, which tells it anyway.
pub fn draw<'p>(picks: impl IntoIterator<Item = &'p Pick>, revealed: bool) -> String {
    let mut out = format!("{DRAW_HEADER}\r\n");
    for pick in picks {
        let Pick { agent, n, call, stratum, weight, of, second, .. } = pick;
        let second = if revealed { u8::from(*second).to_string() } else { String::new() };
        let _ = write!(out, "{agent},{n},{call},{stratum},{weight},{of},{second}\r\n");
    }
    out
}

/// Commitment and, of a closed period, the seed itself.
pub fn seed(seed: &Seed, revealed: bool) -> String {
    let line = if revealed { format!("seed {}\n", seed.reveal()) } else { String::new() };
    format!("commitment {}\n{line}", seed.commitment())
}
