use super::{Board, CALM, Panel, Section, Shape, YES_OR_NO, dotted, q, t};

const PER_LEG: super::Text = t("{{leg}}", "{{leg}}");

pub(super) const BOARD: Board = Board {
    name: "media",
    title: t("热线 · 媒体与中继", "Hotline · Media and trunks"),
    about: t(
        "声音质量、中继与 SIP 信令。媒体数字在通话结束时计入。",
        "How calls sound, trunks and SIP. Figures of media are counted when a call has ended.",
    ),
    from: "now-6h",
    refresh: "15s",
    sections: &[
        Section {
            title: t("中继", "Trunks"),
            panels: &[
                Panel {
                    title: t("中继在线", "Trunk is up"),
                    about: t(
                        "中继是否应答 OPTIONS。",
                        "Whether a trunk answers OPTIONS; one that gets none is not shown.",
                    ),
                    shape: YES_OR_NO,
                    unit: "bool",
                    size: (6, 6),
                    queries: &[q("min by (trunk) (hotline_trunk_up{$S})", t("{{trunk}}", "{{trunk}}"))],
                    steps: CALM,
                    range: (None, None),
                },
                Panel {
                    title: t("注册剩余时间", "Registration left"),
                    about: t("距中继注册到期的时间。", "Time until our registration with the trunk ends."),
                    shape: Shape::Stat,
                    unit: "s",
                    size: (6, 6),
                    queries: &[q(
                        "min by (trunk) ((hotline_trunk_registration_expires_timestamp_seconds{$S} > 0) - time())",
                        t("{{trunk}}", "{{trunk}}"),
                    )],
                    steps: &[(0.0, "red"), (15.0, "green")],
                    range: (None, None),
                },
                Panel {
                    title: t("OPTIONS 往返时间", "Round trip of OPTIONS"),
                    about: t("90 百分位，按中继。", "90th percentile by trunk."),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (6, 6),
                    queries: &[q(
                        "histogram_quantile(0.9, sum by (trunk, le) (rate(hotline_trunk_options_rtt_seconds_bucket{$S}[$__rate_interval])))",
                        t("{{trunk}}", "{{trunk}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("各中继每分钟来电", "Calls offered a minute by trunk"),
                    about: t("按中继统计的来电。", "Calls for the chosen hotlines, by the trunk that they came from."),
                    shape: Shape::Lines,
                    unit: "short",
                    size: (6, 6),
                    queries: &[q(
                        "60 * sum by (trunk) (rate(hotline_calls_offered_total{$H}[$__rate_interval]))",
                        t("{{trunk}}", "{{trunk}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
        Section {
            title: t("声音", "Sound"),
            panels: &[
                Panel {
                    title: t("MOS（最差的十分之一）", "MOS of the worst tenth"),
                    about: t(
                        "每侧接收语音的 MOS-LQ，10 百分位；低于 3.6 用户会抱怨。圆点为单个通话。",
                        "MOS-LQ of what each person sent, 10th percentile; below 3.6 people complain. A dot is one call.",
                    ),
                    shape: Shape::Lines,
                    unit: "none",
                    size: (12, 8),
                    queries: &[dotted(
                        "histogram_quantile(0.1, sum by (leg, le) (rate(hotline_call_mos_bucket{$S}[$__rate_interval])))",
                        PER_LEG,
                    )],
                    steps: &[(0.0, "red"), (3.3, "orange"), (3.6, "green")],
                    range: (Some(1.0), Some(5.0)),
                },
                Panel {
                    title: t("单通", "One-way audio"),
                    about: t(
                        "听不到此侧声音、另一侧有声的通话数。",
                        "Calls in which this person was not heard while the other one was, in the time that is shown.",
                    ),
                    shape: Shape::Stat,
                    unit: "locale",
                    size: (6, 8),
                    queries: &[q("sum by (leg) (increase(hotline_one_way_audio_calls_total{$S}[$R]))", PER_LEG)],
                    steps: &[(0.0, "green"), (1.0, "red")],
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("补包与丢弃", "Made up and thrown away"),
                    about: t(
                        "每分钟为另一侧补出的 10 毫秒帧，以及缓冲中过迟或丢弃的包。",
                        "Frames of 10 ms that were made up for the other side, and packets too late for our buffer or thrown away, a minute.",
                    ),
                    shape: Shape::Lines,
                    unit: "short",
                    size: (6, 8),
                    queries: &[
                        q(
                            "60 * sum(rate(hotline_media_concealed_frames_total{$S,for=\"leg\"}[$__rate_interval]))",
                            t("补出的帧", "frames made up"),
                        ),
                        q(
                            "60 * sum(rate(hotline_media_buffer_late_total{$S}[$__rate_interval]))",
                            t("过迟", "too late"),
                        ),
                        q(
                            "60 * sum(rate(hotline_media_buffer_discarded_total{$S}[$__rate_interval]))",
                            t("丢弃", "thrown away"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("丢包率", "Packet loss"),
                    about: t(
                        "网络丢失的包 ÷ 应收的包，按发送侧。",
                        "Packets that the network lost ÷ packets expected, by who sent them.",
                    ),
                    shape: Shape::Lines,
                    unit: "percentunit",
                    size: (8, 8),
                    queries: &[q(
                        "sum by (leg) (rate(hotline_rtp_lost_total{$S}[$__rate_interval])) / ((sum by (leg) (rate(hotline_rtp_packets_total{$S}[$__rate_interval])) + sum by (leg) (rate(hotline_rtp_lost_total{$S}[$__rate_interval]))) > 0)",
                        PER_LEG,
                    )],
                    steps: &[(0.0, "green"), (0.01, "orange"), (0.03, "red")],
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("丢包最多的通话", "Loss of the worst calls"),
                    about: t(
                        "单个通话丢包率的 95 百分位；圆点为单个通话。",
                        "95th percentile over calls; a dot is one call.",
                    ),
                    shape: Shape::Lines,
                    unit: "percentunit",
                    size: (8, 8),
                    queries: &[dotted(
                        "histogram_quantile(0.95, sum by (leg, le) (rate(hotline_rtp_loss_ratio_bucket{$S}[$__rate_interval])))",
                        PER_LEG,
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("抖动", "Jitter"),
                    about: t(
                        "单个通话平均到达抖动（RFC 3550）的 95 百分位；圆点为单个通话。",
                        "Mean interarrival jitter of a call (RFC 3550), 95th percentile over calls; a dot is one call.",
                    ),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 8),
                    queries: &[dotted(
                        "histogram_quantile(0.95, sum by (leg, le) (rate(hotline_rtp_jitter_seconds_bucket{$S}[$__rate_interval])))",
                        PER_LEG,
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
        Section {
            title: t("SIP 信令", "SIP"),
            panels: &[
                Panel {
                    title: t("我们发出的失败响应", "Failures that we answer with"),
                    about: t("每分钟发出的 4xx 至 6xx，按状态码。", "4xx to 6xx a minute, by code."),
                    shape: Shape::Stacked,
                    unit: "short",
                    size: (8, 8),
                    queries: &[q(
                        "60 * sum by (code) (rate(hotline_sip_responses_total{$S,direction=\"out\",code=~\"[456]..\"}[$__rate_interval])) > 0",
                        t("{{code}}", "{{code}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("被拒的报文", "Messages turned away"),
                    about: t(
                        "未成为来电即被拒的报文，按原因；含义见 hotline help reasons。",
                        "Messages a minute that became no call, by reason; hotline help reasons explains each.",
                    ),
                    shape: Shape::Stacked,
                    unit: "short",
                    size: (8, 8),
                    queries: &[q(
                        "60 * sum by (reason) (rate(hotline_sip_rejected_total{$S}[$__rate_interval])) > 0",
                        t("{{reason}}", "{{reason}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("重传与无法解析", "Sent again, and not readable"),
                    about: t(
                        "每分钟的 SIP 重传（收与发）及无法解析的报文。",
                        "SIP messages that were sent or received again, and datagrams that were no SIP, a minute.",
                    ),
                    shape: Shape::Lines,
                    unit: "short",
                    size: (8, 8),
                    queries: &[
                        q(
                            "60 * sum(rate(hotline_sip_retransmissions_total{$S,direction=\"in\"}[$__rate_interval]))",
                            t("收到的重传", "received again"),
                        ),
                        q(
                            "60 * sum(rate(hotline_sip_retransmissions_total{$S,direction=\"out\"}[$__rate_interval]))",
                            t("发出的重传", "sent again"),
                        ),
                        q(
                            "60 * sum(rate(hotline_sip_parse_errors_total{$S}[$__rate_interval]))",
                            t("无法解析", "not readable"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
    ],
};
