use super::{Board, CALM, Panel, Section, Shape, YES_OR_NO, dotted, q, t};

const LEVEL: &[(f64, &str)] = &[(0.0, "red"), (0.8, "orange"), (0.9, "green")];

pub(super) const BOARD: Board = Board {
    name: "operations",
    title: t("热线 · 运营大屏", "Hotline · Operations"),
    about: t(
        "今天此刻的热线。数字由 Prometheus 按抓取间隔推算，正式数字以 hotline report 为准。",
        "The hotlines today and now. Figures are estimated by Prometheus from scrapes; the official ones are those of hotline report.",
    ),
    from: "now/d",
    refresh: "5s",
    sections: &[
        Section {
            title: t("今天", "Today"),
            panels: &[
                Panel {
                    title: t("服务水平", "Service level"),
                    about: t(
                        "规定铃声内接听的通话 ÷ 已结束的全部来电（含短时放弃）。",
                        "Calls answered within the rings that the dialplan allows ÷ all calls that have ended, short abandons included.",
                    ),
                    shape: Shape::Stat,
                    unit: "percentunit",
                    size: (4, 5),
                    queries: &[q(
                        "sum(increase(hotline_calls_answered_within_target_total{$H}[$R])) / (sum(increase(hotline_calls_total{$H}[$R])) > 0)",
                        t("服务水平", "service level"),
                    )],
                    steps: LEVEL,
                    range: (Some(0.0), Some(1.0)),
                },
                Panel {
                    title: t("服务水平 · 除短弃", "Without short abandons"),
                    about: t(
                        "规定铃声内接听的通话 ÷ 已结束的来电，短时放弃不计入分母；告警按此计算。",
                        "The same without the calls whose caller left at once; the alerts go by this one.",
                    ),
                    shape: Shape::Stat,
                    unit: "percentunit",
                    size: (4, 5),
                    queries: &[q(
                        "sum(increase(hotline_calls_answered_within_target_total{$H}[$R])) / (sum(increase(hotline_calls_total{$H,outcome!=\"short_abandoned\"}[$R])) > 0)",
                        t("服务水平", "service level"),
                    )],
                    steps: LEVEL,
                    range: (Some(0.0), Some(1.0)),
                },
                Panel {
                    title: t("来电", "Calls offered"),
                    about: t(
                        "所选时间内呼入热线的来电。",
                        "Calls that came in for a hotline in the time that is shown.",
                    ),
                    shape: Shape::Stat,
                    unit: "locale",
                    size: (4, 5),
                    queries: &[q("sum(increase(hotline_calls_offered_total{$H}[$R]))", t("来电", "offered"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("放弃率", "Abandon rate"),
                    about: t(
                        "接听前挂机的来电（含短时放弃）÷ 已结束的来电。",
                        "Callers who left before an agent answered, at once or later ÷ all calls that have ended.",
                    ),
                    shape: Shape::Stat,
                    unit: "percentunit",
                    size: (4, 5),
                    queries: &[q(
                        "sum(increase(hotline_calls_total{$H,outcome=~\"abandoned|short_abandoned\"}[$R])) / (sum(increase(hotline_calls_total{$H}[$R])) > 0)",
                        t("放弃率", "abandon rate"),
                    )],
                    steps: &[(0.0, "green"), (0.05, "orange"), (0.1, "red")],
                    range: (Some(0.0), Some(1.0)),
                },
                Panel {
                    title: t("平均应答时间", "Mean ring to answer"),
                    about: t("从振铃到坐席应答的平均时间。", "From the first ring to the agent's answer, on average."),
                    shape: Shape::Stat,
                    unit: "s",
                    size: (4, 5),
                    queries: &[q(
                        "sum(increase(hotline_ring_to_answer_seconds_sum{$H}[$R])) / (sum(increase(hotline_ring_to_answer_seconds_count{$H}[$R])) > 0)",
                        t("平均应答时间", "ring to answer"),
                    )],
                    steps: &[(0.0, "green"), (10.0, "orange"), (15.0, "red")],
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("热线开放", "Open now"),
                    about: t(
                        "按拨号方案（时间、节假日、停服）现在是否接听来电。",
                        "Whether each hotline takes calls by its dialplan: hours, holidays, outage.",
                    ),
                    shape: YES_OR_NO,
                    unit: "bool",
                    size: (4, 5),
                    queries: &[q("max by (hotline) (hotline_open{$H})", t("{{hotline}}", "{{hotline}}"))],
                    steps: CALM,
                    range: (None, None),
                },
            ],
        },
        Section {
            title: t("现在", "Now"),
            panels: &[
                Panel {
                    title: t("进行中的通话", "Calls in progress"),
                    about: t("此刻各状态的通话数。", "Calls by what they are doing at the moment."),
                    shape: Shape::Stat,
                    unit: "locale",
                    size: (12, 4),
                    queries: &[q("sum by (state) (hotline_calls_active{$H})", t("{{state}}", "{{state}}"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("坐席", "Agents"),
                    about: t(
                        "此刻各状态的坐席数（所有热线）。",
                        "Agents of all hotlines by what they are doing at the moment.",
                    ),
                    shape: Shape::Stat,
                    unit: "locale",
                    size: (12, 4),
                    queries: &[q("sum by (state) (hotline_agents{$S})", t("{{state}}", "{{state}}"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
        Section {
            title: t("走势", "Over time"),
            panels: &[
                Panel {
                    title: t("每分钟结束的来电", "Calls that ended, a minute"),
                    about: t("按结果分类，每分钟的来电数。", "Calls a minute by their outcome."),
                    shape: Shape::Stacked,
                    unit: "short",
                    size: (12, 8),
                    queries: &[q(
                        "60 * sum by (outcome) (rate(hotline_calls_total{$H}[$__rate_interval]))",
                        t("{{outcome}}", "{{outcome}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("振铃到应答", "Ring to answer"),
                    about: t(
                        "应答时间的中位数与 90 百分位；圆点是单个通话，点击可打开该通话。",
                        "Median and 90th percentile; a dot is one call, and leads to it.",
                    ),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (12, 8),
                    queries: &[
                        dotted(
                            "histogram_quantile(0.5, sum by (le) (rate(hotline_ring_to_answer_seconds_bucket{$H}[$__rate_interval])))",
                            t("中位数", "median"),
                        ),
                        dotted(
                            "histogram_quantile(0.9, sum by (le) (rate(hotline_ring_to_answer_seconds_bucket{$H}[$__rate_interval])))",
                            t("90 百分位", "90th percentile"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("通话中与振铃中", "Calls in progress over time"),
                    about: t("各状态的通话数。", "Calls by what they are doing."),
                    shape: Shape::Stacked,
                    unit: "short",
                    size: (12, 8),
                    queries: &[q("sum by (state) (hotline_calls_active{$H})", t("{{state}}", "{{state}}"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("各热线在岗坐席", "Agents on duty by hotline"),
                    about: t(
                        "可接听或话后处理中、且话机可达的坐席。",
                        "Agents who are there for callers or in wrap-up, and whose phones can be reached.",
                    ),
                    shape: Shape::Lines,
                    unit: "short",
                    size: (12, 8),
                    queries: &[q("max by (hotline) (hotline_agents_on_duty{$H})", t("{{hotline}}", "{{hotline}}"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
    ],
};
