//! Prometheus' rules: the service level as recorded series, and alerts. What is committed in `deploy/prometheus/rules.yml` is
//! [`rules`] of the usual target; `hotline metrics --rules --target 0.8` prints them for another.
//!
//! An alert on how fast the errors that the target allows are used up ("burn") has a factor. With a target of 90 % nothing can burn
//! faster than ten times, so the factor of 14.4 that is copied everywhere could never be reached: it is derived from the target here.

use std::fmt::Write as _;

/// The share of callers who are to be answered in time, short abandons left out. 0.6 to 0.999.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target(f64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a target is a share from 0.6 to 0.999: 0.9 is 90 %")]
pub struct TargetError;

impl Target {
    /// 90 %.
    pub const USUAL: Target = Target(0.9);

    pub fn new(share: f64) -> Result<Target, TargetError> {
        if (0.6..=0.999).contains(&share) { Ok(Target(share)) } else { Err(TargetError) }
    }

    /// The share of errors that the target allows.
    fn budget(self) -> f64 {
        1.0 - self.0
    }

    /// Half of all callers in vain, or (where the target is so high that half would come too late) 14.4 times the budget.
    fn fast(self) -> f64 {
        (0.5 / self.budget()).min(14.4)
    }

    /// A quarter of the way from a burn that just uses the budget up to the fast one.
    fn slow(self) -> f64 {
        1.0 + (self.fast() - 1.0) / 4.0
    }

    /// The share of errors at a burn of this factor; below 1, or the alert could never fire.
    fn errors(self, factor: f64) -> f64 {
        debug_assert!(factor < 1.0 / self.budget(), "{factor} times {} is never reached", self.budget());
        (factor * self.budget() * 10_000.0).round() / 10_000.0
    }
}

/// Fewer calls than this in an hour (fast) and in six hours (slow) wake nobody: two missed calls of a quiet night are no trend.
const LEAST_CALLS: [u32; 2] = [20, 50];

const WINDOWS: [&str; 4] = ["5m", "1h", "6h", "3d"];

struct Alert {
    name: &'static str,
    expr: String,
    lasts: &'static str,
    severity: &'static str,
    summary: &'static str,
    summary_zh: &'static str,
}

/// The file as Prometheus reads it.
pub fn rules(target: Target) -> String {
    let mut text = format!(
        "# Written by `hotline metrics --rules --target {}`; do not edit, print it anew.\ngroups:\n  - name: hotline-service-level\n    interval: 30s\n    rules:\n",
        target.0
    );
    // Writing to a string does not fail.
    for window in WINDOWS {
        let of = |metric: &str| format!("sum by (job, hotline) (rate({metric}[{window}]))");
        let counted = of("hotline_calls_total{outcome!=\"short_abandoned\"}");
        let level = format!("{} / ({counted} > 0)", of("hotline_calls_answered_within_target_total"));
        let _ = record(&mut text, &format!("hotline:calls_counted:rate{window}"), &counted);
        let _ = record(&mut text, &format!("hotline:service_level:ratio_rate{window}"), &level);
        let errors = format!("1 - hotline:service_level:ratio_rate{window}");
        let _ = record(&mut text, &format!("hotline:slo_errors:ratio_rate{window}"), &errors);
    }
    text.push_str("  - name: hotline-alerts\n    rules:\n");
    let all = [burns(target), trunks(), calls(), recordings(), inspection(), house()];
    for alert in all.into_iter().flatten() {
        let _ = alert.write(&mut text);
    }
    text
}

fn record(text: &mut String, name: &str, expr: &str) -> std::fmt::Result {
    writeln!(text, "      - record: {name}\n        expr: {}", quoted(expr))
}

/// A YAML scalar: what is in single quotes is taken as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Alert {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "      - alert: {}\n        expr: {}", self.name, quoted(&self.expr))?;
        if !self.lasts.is_empty() {
            writeln!(text, "        for: {}", self.lasts)?;
        }
        writeln!(text, "        labels:\n          severity: {}", self.severity)?;
        writeln!(text, "        annotations:\n          summary: {}", quoted(self.summary))?;
        writeln!(text, "          summary_zh: {}", quoted(self.summary_zh))
    }
}

fn burns(target: Target) -> Vec<Alert> {
    let burning = |factor: f64, [long, short]: [&str; 2], least: u32| {
        let errors = target.errors(factor);
        format!(
            "hotline:slo_errors:ratio_rate{long} > {errors} and hotline:slo_errors:ratio_rate{short} > {errors} \
             and sum by (job, hotline) (increase(hotline_calls_total{{outcome!=\"short_abandoned\"}}[{long}])) >= {least}"
        )
    };
    vec![
        Alert {
            name: "HotlineServiceLevelFallsFast",
            expr: burning(target.fast(), ["1h", "5m"], LEAST_CALLS[0]),
            lasts: "",
            severity: "critical",
            summary: "{{ $labels.hotline }}: {{ $value | humanizePercentage }} of the callers of the last hour were not answered in time",
            summary_zh: "{{ $labels.hotline }}:最近一小时有 {{ $value | humanizePercentage }} 的来电未按时接听",
        },
        Alert {
            name: "HotlineServiceLevelFallsSlowly",
            expr: burning(target.slow(), ["6h", "1h"], LEAST_CALLS[1]),
            lasts: "15m",
            severity: "warning",
            summary: "{{ $labels.hotline }}: {{ $value | humanizePercentage }} of the callers of the last six hours were not answered in time",
            summary_zh: "{{ $labels.hotline }}:最近六小时有 {{ $value | humanizePercentage }} 的来电未按时接听",
        },
    ]
}

fn trunks() -> Vec<Alert> {
    vec![
        Alert {
            name: "HotlineTrunkDown",
            expr: "hotline_trunk_up == 0".into(),
            lasts: "1m",
            severity: "critical",
            summary: "Trunk {{ $labels.trunk }} does not answer OPTIONS",
            summary_zh: "中继 {{ $labels.trunk }} 不应答 OPTIONS",
        },
        Alert {
            name: "HotlineTrunkNotRegistered",
            expr: "hotline_trunk_registered == 0".into(),
            lasts: "2m",
            severity: "critical",
            summary: "Trunk {{ $labels.trunk }} is not registered: no calls come in through it",
            summary_zh: "中继 {{ $labels.trunk }} 未注册,无法呼入",
        },
        Alert {
            name: "HotlineTrunkRegistrationExpiring",
            // It is renewed when at least 15 % of its time are left, and how long that is the registrar says.
            expr: "(hotline_trunk_registration_expires_timestamp_seconds > 0) - time() \
                   < 0.1 * max_over_time(((hotline_trunk_registration_expires_timestamp_seconds > 0) - time())[2h:30s])"
                .into(),
            lasts: "",
            severity: "warning",
            summary: "The registration with trunk {{ $labels.trunk }} ends in {{ $value | humanizeDuration }} and was not renewed",
            summary_zh: "中继 {{ $labels.trunk }} 的注册将在 {{ $value | humanizeDuration }} 后到期,尚未续订",
        },
    ]
}

fn calls() -> Vec<Alert> {
    let open_throughout = "on (job, hotline) min by (job, hotline) (min_over_time(hotline_open[2h])) == 1";
    vec![
        Alert {
            name: "HotlineNoCallsInOpeningHours",
            // Only where last week at this time there were calls: some hotlines are quiet.
            expr: format!(
                "sum by (job, hotline) (increase(hotline_calls_offered_total[2h])) == 0 and {open_throughout} \
                 and on (job, hotline) sum by (job, hotline) (increase(hotline_calls_offered_total[2h] offset 1w)) >= 10"
            ),
            lasts: "5m",
            severity: "critical",
            summary: "{{ $labels.hotline }} is open and nobody has called for two hours; a week ago somebody did",
            summary_zh: "{{ $labels.hotline }} 正在开放,但两小时没有来电;上周同一时段有来电",
        },
        Alert {
            name: "HotlineNobodyOnDuty",
            expr: "max by (job, hotline) (hotline_agents_on_duty) == 0 and max by (job, hotline) (hotline_open) == 1"
                .into(),
            lasts: "5m",
            severity: "critical",
            summary: "{{ $labels.hotline }} is open and no agent is on duty",
            summary_zh: "{{ $labels.hotline }} 正在开放,但没有坐席在岗",
        },
        Alert {
            name: "HotlineShiftMissed",
            expr: "sum by (job, instance) (increase(hotline_shifts_missed_total[15m])) >= 0.5".into(),
            lasts: "",
            severity: "warning",
            summary: "{{ $labels.instance }}: {{ $value | printf \"%.0f\" }} agents have not logged in for their shift; `hotline agents` tells who",
            summary_zh: "{{ $labels.instance }}:{{ $value | printf \"%.0f\" }} 名坐席到班次时间还没有登录;`hotline agents` 显示是谁",
        },
        Alert {
            name: "HotlineOneWayAudio",
            expr: "sum by (job, instance, leg) (increase(hotline_one_way_audio_calls_total[15m])) >= 2.5".into(),
            lasts: "",
            severity: "warning",
            summary: "{{ $labels.instance }}: the {{ $labels.leg }} was not heard in {{ $value | printf \"%.0f\" }} calls of the last 15 minutes",
            summary_zh: "{{ $labels.instance }}:最近 15 分钟有 {{ $value | printf \"%.0f\" }} 个通话听不到 {{ $labels.leg }} 侧的声音",
        },
        Alert {
            name: "HotlineMosLow",
            expr:
                "histogram_quantile(0.1, sum by (job, instance, leg, le) (rate(hotline_call_mos_bucket[30m]))) < 3.3 \
                   and sum by (job, instance, leg) (increase(hotline_call_mos_count[30m])) >= 20"
                    .into(),
            lasts: "5m",
            severity: "warning",
            summary: "{{ $labels.instance }}: a tenth of the calls sounds worse than MOS {{ $value | printf \"%.1f\" }} ({{ $labels.leg }})",
            summary_zh: "{{ $labels.instance }}:十分之一的通话 MOS 低于 {{ $value | printf \"%.1f\" }}({{ $labels.leg }} 侧)",
        },
    ]
}

fn recordings() -> Vec<Alert> {
    vec![
        Alert {
            name: "HotlineRecordingFailing",
            expr: "sum by (job, instance, status) (increase(hotline_recordings_total{status!=\"ok\"}[10m])) > 0.5".into(),
            lasts: "",
            severity: "warning",
            summary: "{{ $labels.instance }}: recordings of the last ten minutes are {{ $labels.status }}",
            summary_zh: "{{ $labels.instance }}:最近十分钟的录音状态为 {{ $labels.status }}",
        },
        Alert {
            name: "HotlineRecordingsNotCopied",
            expr: "time() - (hotline_recording_uploads_oldest_timestamp_seconds > 0) > 21600".into(),
            lasts: "10m",
            severity: "warning",
            summary: "{{ $labels.instance }}: for six hours a recording could not be copied to the object store",
            summary_zh: "{{ $labels.instance }}:录音已有六小时未能复制到对象存储",
        },
        Alert {
            name: "HotlineDiskLow",
            expr: "hotline_recordings_disk_level >= 2".into(),
            lasts: "",
            severity: "critical",
            summary: "{{ $labels.instance }}: the disk of the recordings is nearly full; at level 3 new calls are not recorded",
            summary_zh: "{{ $labels.instance }}:录音磁盘即将用尽;到级别 3 时新通话不再录音",
        },
        Alert {
            name: "HotlineDiskFullInADay",
            expr: "predict_linear(hotline_storage_free_bytes[6h], 86400) < 0 and hotline_storage_free_bytes < 0.5 * hotline_storage_size_bytes"
                .into(),
            lasts: "30m",
            severity: "warning",
            summary: "{{ $labels.instance }}: at this pace the disk of the recordings is full within a day",
            summary_zh: "{{ $labels.instance }}:按当前速度,录音磁盘将在一天内写满",
        },
    ]
}

fn inspection() -> Vec<Alert> {
    vec![Alert {
        name: "HotlineQaOverdue",
        expr: "max by (job, instance) (hotline_qa_backlog_reviews{state=\"overdue\"}) > 0".into(),
        lasts: "1h",
        severity: "warning",
        summary: "{{ $labels.instance }}: {{ $value | printf \"%.0f\" }} drawn calls were not scored by their due date",
        summary_zh: "{{ $labels.instance }}:{{ $value | printf \"%.0f\" }} 通抽检录音逾期未评",
    }]
}

fn house() -> Vec<Alert> {
    vec![
        Alert {
            name: "HotlineEventsDropped",
            expr: "sum by (job, instance) (increase(hotline_ledger_facts_refused_total[10m])) > 0 \
                   or sum by (job, instance) (increase(hotline_recording_blocks_dropped_total[10m])) > 0 \
                   or sum by (job, instance) (increase(hotline_sip_rejected_total{reason=\"queue_full\"}[10m])) > 0"
                .into(),
            lasts: "",
            severity: "critical",
            summary: "{{ $labels.instance }}: the gateway does not keep up and drops facts, sound or messages",
            summary_zh: "{{ $labels.instance }}:网关处理不及,正在丢弃事实、声音或报文",
        },
        Alert {
            name: "HotlineLedgerFailing",
            expr: "increase(hotline_ledger_commit_failures_total[5m]) > 0 and hotline_ledger_backlog_facts > 0".into(),
            lasts: "1m",
            severity: "critical",
            summary: "{{ $labels.instance }}: the database takes no facts; beyond a bound new calls get 503",
            summary_zh: "{{ $labels.instance }}:数据库无法写入;积压超限后新来电将被 503 拒绝",
        },
        Alert {
            name: "HotlineConfigurationRefused",
            expr: "increase(hotline_config_reloads_total{result=\"refused\"}[15m]) > 0".into(),
            lasts: "",
            severity: "warning",
            summary: "{{ $labels.instance }}: a new configuration has faults and was refused; the log names them",
            summary_zh: "{{ $labels.instance }}:新配置有误,已拒绝;详见日志",
        },
        Alert {
            name: "HotlineTargetMissing",
            expr: "up{job=\"hotline\"} == 0 or absent(up{job=\"hotline\"})".into(),
            lasts: "1m",
            severity: "critical",
            summary: "The gateway {{ $labels.instance }} cannot be scraped: it may be down",
            summary_zh: "无法抓取网关 {{ $labels.instance }}:它可能已停止",
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_burn_alert_can_fire_and_the_fast_one_is_the_faster() {
        for permille in 600..=999 {
            let target = Target::new(f64::from(permille) / 1_000.0).unwrap();
            let (fast, slow) = (target.errors(target.fast()), target.errors(target.slow()));
            assert!(fast < 1.0 && slow < fast && slow > target.budget(), "{permille}: {slow} {fast}");
        }
        assert_eq!(
            (Target::USUAL.errors(Target::USUAL.fast()), Target::USUAL.errors(Target::USUAL.slow())),
            (0.5, 0.2)
        );
        assert!(14.4 > 1.0 / Target::USUAL.budget(), "why the usual factor is none");
        for wrong in [0.0, 0.5, 1.0, 90.0, f64::NAN, -1.0] {
            assert_eq!(Target::new(wrong), Err(TargetError), "{wrong}");
        }
    }
}
