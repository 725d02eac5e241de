//! `hotline analyze`: the calls and RTP streams of a capture, or what can be heard in a WAV.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::Failure;
use super::reading::Style;
use super::sound;
use crate::capture::{Analysis, Call, Column, Interval, StreamResult, analyze};
use crate::clock::{Instant, Wall};
use crate::quality::{Figures, Measured};

pub(super) fn run(path: &Path, style: Style, out: &mut dyn Write) -> Result<(), Failure> {
    let name = path.display();
    let unread = |error: io::Error| Failure::Usage(format!("cannot read {name}: {error}"));
    let mut file = File::open(path).map_err(unread)?;
    let mut begin = Vec::new();
    (&file).take(4).read_to_end(&mut begin).map_err(unread)?;
    file.rewind().map_err(unread)?;
    if begin == b"RIFF" {
        return sound::run(path, file, style, out);
    }
    let analysis = analyze(file).map_err(|error| Failure::Failed(anyhow::anyhow!("{name} {error}")))?;
    match style {
        Style::Json => print_json(&analysis, out)?,
        Style::Text => print_text(&analysis, out)?,
    }
    match &analysis.damaged {
        None => Ok(()),
        Some(damage) => Err(Failure::Failed(anyhow::anyhow!("{name} {damage}; what is above was read before that"))),
    }
}

/// One object a line: calls, then streams, then the capture itself.
fn print_json(analysis: &Analysis, out: &mut dyn Write) -> io::Result<()> {
    for (number, call) in analysis.calls.iter().enumerate() {
        writeln!(out, "{}", call_json(number, call))?;
    }
    for stream in &analysis.streams {
        writeln!(out, "{}", stream_json(stream))?;
    }
    let capture = json!({
        "kind": "capture", "frames": analysis.frames, "calls": analysis.calls.len(), "streams": analysis.streams.len(),
        "first_at": analysis.first.map(date), "last_at": analysis.last.map(date), "truncated": analysis.truncated,
        "damaged": analysis.damaged, "unstamped": analysis.unstamped, "unassembled": analysis.unassembled,
        "unknown_link": analysis.unknown_link, "tls": analysis.tls, "unreadable": analysis.unreadable,
        "left_out": analysis.left_out,
    });
    writeln!(out, "{capture}")
}

fn call_json(number: usize, call: &Call) -> Value {
    json!({
        "kind": "call", "call": number, "call_id": call.call_id, "from": call.from, "to": call.to, "status": call.status,
        "offered_at": call.offered.map(date), "in_progress": call.in_progress,
        "rung_at": call.rung.map(date), "answered_at": call.answered.map(date),
        "ended_at": call.ended.map(date), "reports": call.reports,
    })
}

fn stream_json(stream: &StreamResult) -> Value {
    let mut line = json!({
        "kind": "stream", "call": stream.call, "source": stream.source, "target": stream.target,
        "ssrc": format!("{:08x}", stream.ssrc), "payload_type": stream.payload_type,
        "first_at": date(stream.first), "last_at": date(stream.latest), "status": stream.status,
        "longest_delta_ms": stream.longest_delta.as_secs_f64() * 1e3,
        "round_trip_ms": stream.round_trip.map(|d| d.as_secs_f64() * 1e3), "reported": stream.reported,
        "intervals": stream.intervals.iter().map(|i| interval_json(stream, i)).collect::<Vec<_>>(),
    });
    let figures = Figures::of(&stream.measured, stream.codec.as_deref(), stream.score.as_ref());
    if let (Value::Object(line), Ok(Value::Object(figures))) = (&mut line, serde_json::to_value(figures)) {
        line.extend(figures);
        let untold = TIMED.iter().filter(|_| stream.clock_rate_hz.is_none());
        line.extend(untold.map(|name| ((*name).to_owned(), Value::Null)));
    }
    line
}

fn interval_json(stream: &StreamResult, interval: &Interval) -> Value {
    let Measured { packets, lost, jitter, heard, .. } = interval.measured;
    let timed = stream.clock_rate_hz.is_some();
    json!({
        "from_ms": interval.from.since(stream.first).as_millis() as u64,
        "to_ms": interval.to.since(stream.first).as_millis() as u64,
        "packets": packets, "lost": lost, "lost_or_late": heard.lost,
        "jitter_mean_ms": timed.then(|| jitter.mean as f64 / 1e6), "jitter_max_ms": timed.then(|| jitter.max as f64 / 1e6),
    })
}

/// Without a clock rate a timestamp says nothing of time, and these are unknown.
const TIMED: [&str; 17] = [
    "jitter_ms",
    "jitter_mean_ms",
    "jitter_max_ms",
    "packet_ms",
    "drift_ppm",
    "timestamp_jumps",
    "bursts",
    "burst_density",
    "burst_ms",
    "gap_density",
    "gap_ms",
    "discarded_fixed_50",
    "discarded_fixed_200",
    "discarded_adaptive_500",
    "outages",
    "outage_ms",
    "longest_loss_ms",
];

fn date(at: Instant) -> String {
    Wall::from_micros((at.as_nanos() / 1_000) as i64).to_string()
}

fn print_text(analysis: &Analysis, out: &mut dyn Write) -> io::Result<()> {
    let Analysis { calls, streams, .. } = analysis;
    let lasted = analysis.first.zip(analysis.last).map_or(Duration::ZERO, |(first, last)| last.since(first));
    write!(out, "{} frames in {:.1} s", analysis.frames, lasted.as_secs_f64())?;
    if let Some(first) = analysis.first {
        write!(out, " from {}", date(first))?;
    }
    writeln!(out, ": {} calls, {} RTP streams", calls.len(), streams.len())?;
    let notes = [
        (u64::from(analysis.truncated), "the file ends within a frame"),
        (analysis.unstamped, "frames have no time and were passed over"),
        (analysis.unassembled, "fragmented datagrams were not complete"),
        (analysis.unknown_link, "frames are of a link type that is not known"),
        (analysis.tls, "connections are TLS; what SIP they carry cannot be seen"),
        (analysis.unreadable, "SIP messages cannot be read"),
        (analysis.left_out, "calls, addresses, reports or streams found no room or belong to nothing"),
    ];
    for (count, what) in notes.iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "note: {count}: {what}")?;
    }
    for (number, call) in calls.iter().enumerate() {
        print_call(call, out)?;
        for stream in streams.iter().filter(|stream| stream.call == Some(number)) {
            print_stream(stream, out)?;
        }
    }
    if streams.iter().any(|stream| stream.call.is_none()) {
        writeln!(out, "\nStreams that no SDP announced")?;
    }
    streams.iter().filter(|stream| stream.call.is_none()).try_for_each(|stream| print_stream(stream, out))
}

fn print_call(call: &Call, out: &mut dyn Write) -> io::Result<()> {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    writeln!(out, "\nCall {} → {}  {}", or_dash(&call.from), or_dash(&call.to), call.call_id)?;
    let from = call.offered.unwrap_or(call.seen);
    match call.offered {
        Some(offered) => write!(out, "  offered {}", date(offered))?,
        None => write!(out, "  offered before the capture began; first seen {}", date(from))?,
    }
    let after = |at: Instant| at.since(from).as_secs_f64();
    if let Some(rung) = call.rung {
        write!(out, ", rang after {:.3} s", after(rung))?;
    }
    match (call.answered, call.status) {
        (Some(answered), _) => write!(out, ", answered after {:.3} s", after(answered))?,
        (None, Some(status)) => write!(out, ", refused with {status}")?,
        (None, None) if call.in_progress => write!(out, ", in progress")?,
        (None, None) => write!(out, ", not answered")?,
    }
    if let Some(ended) = call.ended {
        write!(out, ", ended after {:.3} s", after(ended))?;
    }
    writeln!(out)?;
    for report in &call.reports {
        let said = |name: &str, value: Option<f64>| value.map(|value| format!(" {name} {value}")).unwrap_or_default();
        let heard = &report.heard;
        let text = [
            said("loss %", heard.loss_percent),
            said("discard %", heard.discard_percent),
            said("jitter ms", heard.jitter_ms),
            said("round trip ms", heard.round_trip_ms),
            said("MOS-LQ", heard.mos_lq),
            said("MOS-CQ", heard.mos_cq),
        ];
        writeln!(out, "  a phone reports (RFC 6035):{}", text.concat())?;
    }
    Ok(())
}

fn print_stream(stream: &StreamResult, out: &mut dyn Write) -> io::Result<()> {
    let Measured { packets, lost, duplicates, reordered, jitter, losses, heard, .. } = stream.measured;
    let codec = stream.codec.clone().unwrap_or_else(|| match stream.payload_type {
        Some(number) => format!("payload type {number}"),
        None => "events only".to_owned(),
    });
    let length = f64::from(stream.measured.packet_us) / 1e3;
    let lasted = stream.latest.since(stream.first).as_secs_f64();
    writeln!(
        out,
        "\n  {} → {}  ssrc {:08x}  {codec} {length} ms, {lasted:.1} s",
        stream.source, stream.target, stream.ssrc
    )?;
    let percent = stream.measured.loss_ratio().unwrap_or(0.0) * 100.0;
    writeln!(
        out,
        "    packets {packets}  lost {lost} ({percent:.2} %)  duplicates {duplicates}  reordered {reordered}"
    )?;
    if stream.clock_rate_hz.is_some() {
        let [mean, max, last] = [jitter.mean, jitter.max, jitter.last].map(|ns| ns as f64 / 1e6);
        let Measured { fixed_short, fixed_long, adaptive, .. } = stream.measured;
        writeln!(
            out,
            "    jitter mean {mean:.3} ms  max {max:.3} ms  at the end {last:.3} ms; too late for a buffer of 50 ms: {}, \
             200 ms: {}, adaptive 500 ms: {}",
            fixed_short.discarded, fixed_long.discarded, adaptive.discarded
        )?;
    }
    if heard.lost > 0 {
        let millis = |packets: f64| stream.measured.millis(packets);
        writeln!(
            out,
            "    bursts {} of {:.0} ms ({:.0} % lost) in gaps of {:.0} ms ({:.2} % lost); BurstR {:.2}; outages {}, longest loss {:.0} ms",
            heard.bursts,
            millis(heard.burst_packets()),
            heard.burst_density() * 100.0,
            millis(heard.gap_packets()),
            heard.gap_density() * 100.0,
            losses.burst_r(),
            losses.outages,
            millis(losses.longest as f64),
        )?;
    }
    print_score(stream, out)?;
    print_plot(stream, out)
}

fn print_score(stream: &StreamResult, out: &mut dyn Write) -> io::Result<()> {
    if let Some(reported) = &stream.reported {
        let of = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        let loss = reported.loss_ratio * 100.0;
        let (lq, cq) = (of(reported.mos_lq), of(reported.mos_cq));
        writeln!(out, "    its receiver reports (RTCP XR): loss {loss:.1} %  MOS-LQ {lq}  MOS-CQ {cq}")?;
    }
    let status = stream.status.as_str();
    let Some(score) = &stream.score else { return writeln!(out, "    {status}: no score") };
    let concealed = if score.plc { "concealment assumed" } else { "no concealment" };
    writeln!(
        out,
        "    {status}: R {:.1}  MOS-LQ {:.2} ({}, {concealed}; {})  MOS-CQ {:.2} (delay {:.0} ms, {})",
        score.r_lq,
        score.mos_lq,
        score.scale.as_str(),
        score.source,
        score.mos_cq,
        score.delay_ms,
        match score.delay {
            crate::quality::Delay::Measured => "measured",
            crate::quality::Delay::Assumed => "assumed",
        }
    )
}

/// A row of bars for loss and one for jitter, if there is any.
fn print_plot(stream: &StreamResult, out: &mut dyn Write) -> io::Result<()> {
    let width = stream.plot.width.as_secs_f64();
    let loss = |column: &Column| column.lost as f64 / (column.lost + column.received).max(1) as f64 * 100.0;
    let jitter = |column: &Column| column.jitter_ns / 1e6;
    let rows: [(&str, &str, Vec<f64>); 2] = [
        ("loss", "%", stream.plot.columns.iter().map(loss).collect()),
        ("jitter", "ms", stream.plot.columns.iter().map(jitter).collect()),
    ];
    for (name, unit, values) in rows {
        let most = values.iter().copied().fold(0.0, f64::max);
        if most > 0.0 && stream.clock_rate_hz.is_some() {
            let bars: String = values.iter().map(|value| bar(value / most)).collect();
            writeln!(out, "    {name:6} {bars} up to {most:.2} {unit}; {width} s a column")?;
        }
    }
    Ok(())
}

/// A bar of a height from 0 to 1; anything above 0 can be seen.
fn bar(height: f64) -> char {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    BARS[((height * 8.0).ceil() as usize).min(8)]
}
