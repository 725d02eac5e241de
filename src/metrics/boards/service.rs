use super::{Board, CALM, Panel, Section, Shape, dotted, q, t};

const LEVEL: &[(f64, &str)] = &[(0.0, "red"), (0.8, "orange"), (0.9, "green")];
const RULES: &[(f64, &str)] = &[(0.0, "red"), (0.9, "orange"), (0.98, "green")];

pub(super) const BOARD: Board = Board {
    name: "service",
    title: t("热线 · 服务与质检", "Hotline · Service and QA"),
    about: t(
        "服务质量的走势与各热线、坐席的比较。考核请以 hotline report 与质检评分为准，此处为推算值。",
        "How service goes, by hotline and agent. What people are judged by comes from hotline report and from QA, not from here: these are estimates.",
    ),
    from: "now-7d",
    refresh: "1m",
    sections: &[
        Section {
            title: t("服务水平", "Service level"),
            panels: &[
                Panel {
                    title: t("各热线服务水平（不计短时放弃）", "Service level by hotline, without short abandons"),
                    about: t(
                        "所选时间内，规定铃声内接听 ÷ 已结束来电。",
                        "In the time that is shown: answered within the rings that are allowed ÷ ended calls.",
                    ),
                    shape: Shape::Bars,
                    unit: "percentunit",
                    size: (8, 8),
                    queries: &[q(
                        "sort(sum by (hotline) (increase(hotline_calls_answered_within_target_total{$H}[$R])) / (sum by (hotline) (increase(hotline_calls_total{$H,outcome!=\"short_abandoned\"}[$R])) > 0))",
                        t("{{hotline}}", "{{hotline}}"),
                    )],
                    steps: LEVEL,
                    range: (Some(0.0), Some(1.0)),
                },
                Panel {
                    title: t("每小时服务水平", "Service level hour by hour"),
                    about: t(
                        "每个时刻之前一小时的服务水平（不计短时放弃）。",
                        "Of the hour before each point, without short abandons.",
                    ),
                    shape: Shape::Lines,
                    unit: "percentunit",
                    size: (16, 8),
                    queries: &[q(
                        "sum by (hotline) (increase(hotline_calls_answered_within_target_total{$H}[1h])) / (sum by (hotline) (increase(hotline_calls_total{$H,outcome!=\"short_abandoned\"}[1h])) > 0)",
                        t("{{hotline}}", "{{hotline}}"),
                    )],
                    steps: LEVEL,
                    range: (Some(0.0), Some(1.0)),
                },
                Panel {
                    title: t("多久后放弃", "Time to abandon"),
                    about: t(
                        "客户放弃前等待时间的中位数与 90 百分位；圆点为单个通话。",
                        "How long callers waited before they left: median and 90th percentile; a dot is one call.",
                    ),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 8),
                    queries: &[
                        dotted(
                            "histogram_quantile(0.5, sum by (le) (rate(hotline_time_to_abandon_seconds_bucket{$H}[$__rate_interval])))",
                            t("中位数", "median"),
                        ),
                        q(
                            "histogram_quantile(0.9, sum by (le) (rate(hotline_time_to_abandon_seconds_bucket{$H}[$__rate_interval])))",
                            t("90 百分位", "90th percentile"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("谁先挂机", "Who ended the calls"),
                    about: t(
                        "所选时间内，按挂机方统计的通话数。",
                        "Calls by who ended them, in the time that is shown.",
                    ),
                    shape: Shape::Bars,
                    unit: "locale",
                    size: (8, 8),
                    queries: &[q("sum by (by) (increase(hotline_call_hangups_total{$H}[$R]))", t("{{by}}", "{{by}}"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("转接", "Transfers"),
                    about: t(
                        "坐席把客户转给他人的次数，按结果。",
                        "Times that an agent handed a caller on, by result.",
                    ),
                    shape: Shape::Bars,
                    unit: "locale",
                    size: (8, 8),
                    queries: &[q(
                        "sum by (result) (increase(hotline_transfers_total{$H}[$R]))",
                        t("{{result}}", "{{result}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
        Section {
            title: t("通话过程", "In the calls"),
            panels: &[
                Panel {
                    title: t("平均通话时长", "Mean length of calls"),
                    about: t(
                        "已接听来电从呼入到结束的平均时长；圆点为单个通话。",
                        "Offered to ended, of calls that were answered; a dot is one call.",
                    ),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 8),
                    queries: &[
                        q(
                            "sum by (hotline) (increase(hotline_call_duration_seconds_sum{$H}[1h])) / (sum by (hotline) (increase(hotline_call_duration_seconds_count{$H}[1h])) > 0)",
                            t("{{hotline}}", "{{hotline}}"),
                        ),
                        dotted(
                            "histogram_quantile(0.9, sum by (le) (rate(hotline_call_duration_seconds_bucket{$H}[1h])))",
                            t("90 百分位", "90th percentile"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("问候语延迟", "Delay of the greeting"),
                    about: t(
                        "接通到问候语第一个音的时间；应在 0.2 秒内。",
                        "From connected to the first sample of the greeting; 0.2 s at most is what is promised.",
                    ),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 8),
                    queries: &[dotted(
                        "histogram_quantile(0.99, sum by (le) (rate(hotline_greeting_delay_seconds_bucket{$H}[$__rate_interval])))",
                        t("99 百分位", "99th percentile"),
                    )],
                    steps: &[(0.0, "green"), (0.2, "red")],
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("保持时长", "Length of holds"),
                    about: t(
                        "每次保持的时长，90 百分位；圆点为单个通话。",
                        "Of each hold, 90th percentile; a dot is one call.",
                    ),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 8),
                    queries: &[dotted(
                        "histogram_quantile(0.9, sum by (le) (rate(hotline_hold_duration_seconds_bucket{$H}[1h])))",
                        t("90 百分位", "90th percentile"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
        Section {
            title: t("规则与录音", "Rules and recordings"),
            panels: &[
                Panel {
                    title: t("合格率最低的规则", "Rules that are kept least"),
                    about: t(
                        "合格 ÷（合格 + 不合格），所有热线的全部通话；规则说明见 hotline rules explain。",
                        "Pass ÷ (pass + fail) over all calls of all hotlines; hotline rules explain tells what a rule says.",
                    ),
                    shape: Shape::Bars,
                    unit: "percentunit",
                    size: (8, 10),
                    queries: &[q(
                        "sort(bottomk(12, sum by (rule) (increase(hotline_rule_checks_total{$S,verdict=\"pass\"}[$R])) / (sum by (rule) (increase(hotline_rule_checks_total{$S,verdict=~\"pass|fail\"}[$R])) > 0)))",
                        t("{{rule}}", "{{rule}}"),
                    )],
                    steps: RULES,
                    range: (Some(0.0), Some(1.0)),
                },
                Panel {
                    title: t("规则判定", "Verdicts"),
                    about: t("每分钟的规则判定数，按结果。", "Verdicts a minute, by finding."),
                    shape: Shape::Stacked,
                    unit: "short",
                    size: (8, 10),
                    queries: &[q(
                        "60 * sum by (verdict) (rate(hotline_rule_checks_total{$S}[$__rate_interval]))",
                        t("{{verdict}}", "{{verdict}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("录音", "Recordings"),
                    about: t(
                        "所选时间内已关闭的录音，按完整程度。",
                        "Recordings that were closed in the time that is shown, by how whole they are.",
                    ),
                    shape: Shape::Bars,
                    unit: "locale",
                    size: (8, 10),
                    queries: &[q(
                        "sum by (status) (increase(hotline_recordings_total{$S}[$R]))",
                        t("{{status}}", "{{status}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
        Section {
            title: t("质检", "QA"),
            panels: &[
                Panel {
                    title: t("待评录音", "Calls that wait to be scored"),
                    about: t(
                        "抽检后尚未评分的录音，按状态；逾期指超过应评截止日，无论是否已分配。",
                        "Calls that people are to hear and have not scored; overdue: the due date is over, whoever has it.",
                    ),
                    shape: Shape::Bars,
                    unit: "locale",
                    size: (8, 7),
                    queries: &[q("sum by (state) (hotline_qa_backlog_reviews{$S})", t("{{state}}", "{{state}}"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("本月抽检", "The month's draw"),
                    about: t(
                        "本月随机抽取的录音与其中已评分的数量（不含复评）。",
                        "Calls drawn by lot for the present month and how many were scored, second hearings excluded.",
                    ),
                    shape: Shape::Lines,
                    unit: "locale",
                    size: (8, 7),
                    queries: &[q("sum by (state) (hotline_qa_month_reviews{$S})", t("{{state}}", "{{state}}"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("从来电到评分", "From the call to its score"),
                    about: t(
                        "之前七天内评分的录音，从呼入到提交评分的时间。",
                        "Call offered to its score submitted, of the scores of the seven days before each point.",
                    ),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 7),
                    queries: &[
                        q(
                            "histogram_quantile(0.5, sum by (le) (increase(hotline_qa_call_to_score_seconds_bucket{$S}[7d])))",
                            t("中位数", "median"),
                        ),
                        q(
                            "histogram_quantile(0.9, sum by (le) (increase(hotline_qa_call_to_score_seconds_bucket{$S}[7d])))",
                            t("90 百分位", "90th percentile"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
        Section {
            title: t("坐席", "Agents"),
            panels: &[
                Panel {
                    title: t("接听数", "Calls answered by agent"),
                    about: t(
                        "所选时间内每位坐席接听的通话，前 15 名。",
                        "In the time that is shown, the fifteen with most.",
                    ),
                    shape: Shape::Bars,
                    unit: "locale",
                    size: (8, 12),
                    queries: &[q(
                        "sort_desc(topk(15, sum by (agent) (increase(hotline_agent_calls_total{$S,outcome=\"answered\"}[$R]))))",
                        t("{{agent}}", "{{agent}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("平均通话时长（坐席）", "Mean talk by agent"),
                    about: t(
                        "每位坐席每次通话的平均时长（不含保持），最长的 15 名。",
                        "Talk without holds for each call that the agent answered, the fifteen with most.",
                    ),
                    shape: Shape::Bars,
                    unit: "s",
                    size: (8, 12),
                    queries: &[q(
                        "sort_desc(topk(15, sum by (agent) (increase(hotline_agent_talk_seconds_total{$S}[$R])) / (sum by (agent) (increase(hotline_agent_calls_total{$S,outcome=\"answered\"}[$R])) > 0)))",
                        t("{{agent}}", "{{agent}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("未接听的振铃", "Rings that were not answered"),
                    about: t(
                        "坐席话机未被接听的振铃，按原因。",
                        "Rings of agents' phones that led to no call, by how they ended.",
                    ),
                    shape: Shape::Stacked,
                    unit: "short",
                    size: (8, 12),
                    queries: &[q(
                        "60 * sum by (outcome) (rate(hotline_agent_calls_total{$S,outcome!=\"answered\"}[$__rate_interval]))",
                        t("{{outcome}}", "{{outcome}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("占用率", "Occupancy"),
                    about: t(
                        "之前一小时内通话、保持与振铃时间 ÷ 已签入坐席的时间（所有热线）；通话在结束时计入。",
                        "Time in which agents talked, held or were rung ÷ time of agents who were logged in, over all hotlines, in the hour before each point; a call counts when it has ended.",
                    ),
                    shape: Shape::Lines,
                    unit: "percentunit",
                    size: (24, 7),
                    queries: &[q(
                        "(sum(increase(hotline_agent_talk_seconds_total{$S}[1h])) + sum(increase(hotline_agent_hold_seconds_total{$S}[1h])) + sum(increase(hotline_agent_ring_seconds_total{$S}[1h]))) / (sum(sum_over_time(hotline_agents{$S,state!=\"offline\"}[1h:15s])) * 15 > 0)",
                        t("占用率", "occupancy"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
    ],
};
