use super::{Board, CALM, Panel, Section, Shape, q, t};

const NEVER: &[(f64, &str)] = &[(0.0, "green"), (1.0, "red")];

pub(super) const BOARD: Board = Board {
    name: "system",
    title: t("热线 · 系统", "Hotline · System"),
    about: t(
        "网关进程、账本、录音磁盘与抓取本身。",
        "The process, its ledger, the disk of the recordings, and the scrape itself.",
    ),
    from: "now-6h",
    refresh: "15s",
    sections: &[
        Section {
            title: t("状态", "State"),
            panels: &[
                Panel {
                    title: t("版本", "Version"),
                    about: t("正在运行的程序版本。", "Which program runs."),
                    shape: Shape::Names,
                    unit: "none",
                    size: (4, 5),
                    queries: &[q("max by (version) (hotline_build_info{$S})", t("{{version}}", "{{version}}"))],
                    steps: CALM,
                    range: (None, None),
                },
                Panel {
                    title: t("运行时间", "Up for"),
                    about: t("进程启动以来的时间。", "Since the process began."),
                    shape: Shape::Stat,
                    unit: "s",
                    size: (4, 5),
                    queries: &[q("time() - max(process_start_time_seconds{$S})", t("运行时间", "up for"))],
                    steps: CALM,
                    range: (None, None),
                },
                Panel {
                    title: t("录音磁盘", "Disk of the recordings"),
                    about: t(
                        "录音磁盘的用量：偏高为已用 90 %，告急为 95 %；已满（或不可写）时新通话不录音。",
                        "Of the recordings: low from 90 % on, tight from 95 % on; full or not writable: new calls are not recorded.",
                    ),
                    shape: Shape::Words(&[
                        (0, t("正常", "fine"), "green"),
                        (1, t("偏高", "low"), "orange"),
                        (2, t("告急", "tight"), "orange"),
                        (3, t("已满", "full"), "red"),
                    ]),
                    unit: "none",
                    size: (4, 5),
                    queries: &[q("max(hotline_recordings_disk_level{$S})", t("磁盘级别", "level"))],
                    steps: &[(0.0, "green"), (1.0, "orange"), (3.0, "red")],
                    range: (None, None),
                },
                Panel {
                    title: t("丢失的数据", "Data that was lost"),
                    about: t(
                        "账本拒收的事实、录音丢弃的块、队列已满丢弃的报文。应为零。",
                        "Facts that the ledger refused, blocks of sound that the recorder dropped, messages dropped at a full queue. To be zero.",
                    ),
                    shape: Shape::Stat,
                    unit: "locale",
                    size: (8, 5),
                    queries: &[
                        q("sum(increase(hotline_ledger_facts_refused_total{$S}[$R]))", t("事实", "facts")),
                        q(
                            "sum(increase(hotline_recording_blocks_dropped_total{$S}[$R]))",
                            t("录音块", "blocks of sound"),
                        ),
                        q(
                            "sum(increase(hotline_sip_rejected_total{$S,reason=\"queue_full\"}[$R]))",
                            t("报文", "messages"),
                        ),
                    ],
                    steps: NEVER,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("配置生效于", "Configuration in force since"),
                    about: t("当前配置被读取的时间。", "When the configuration in force was read."),
                    shape: Shape::Stat,
                    unit: "dateTimeFromNow",
                    size: (4, 5),
                    queries: &[q(
                        "1000 * max(hotline_config_last_reload_success_timestamp_seconds{$S})",
                        t("读取于", "read"),
                    )],
                    steps: CALM,
                    range: (None, None),
                },
            ],
        },
        Section {
            title: t("账本与磁盘", "Ledger and disk"),
            panels: &[
                Panel {
                    title: t("录音磁盘剩余空间", "Room for recordings"),
                    about: t(
                        "录音所在文件系统的剩余与总容量。",
                        "Left and altogether, on the file system of the recordings.",
                    ),
                    shape: Shape::Lines,
                    unit: "bytes",
                    size: (8, 8),
                    queries: &[
                        q(
                            "min by (instance) (hotline_storage_free_bytes{$S})",
                            t("剩余 {{instance}}", "free {{instance}}"),
                        ),
                        q(
                            "min by (instance) (hotline_storage_size_bytes{$S})",
                            t("总量 {{instance}}", "size {{instance}}"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("账本写入耗时", "Duration of commits"),
                    about: t("一次成组提交的耗时，99 百分位与平均。", "Of a group commit: 99th percentile and mean."),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 8),
                    queries: &[
                        q(
                            "histogram_quantile(0.99, sum by (le) (rate(hotline_ledger_commit_seconds_bucket{$S}[$__rate_interval])))",
                            t("99 百分位", "99th percentile"),
                        ),
                        q(
                            "sum(rate(hotline_ledger_commit_seconds_sum{$S}[$__rate_interval])) / (sum(rate(hotline_ledger_commit_seconds_count{$S}[$__rate_interval])) > 0)",
                            t("平均", "mean"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("账本积压", "Facts not yet on disk"),
                    about: t(
                        "尚未写入磁盘的事实，以及失败的提交。",
                        "Facts that wait, and commits a minute that failed.",
                    ),
                    shape: Shape::Lines,
                    unit: "short",
                    size: (8, 8),
                    queries: &[
                        q("sum(hotline_ledger_backlog_facts{$S})", t("积压", "waiting")),
                        q(
                            "60 * sum(rate(hotline_ledger_commit_failures_total{$S}[$__rate_interval]))",
                            t("失败的提交", "failed commits"),
                        ),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
        Section {
            title: t("交换", "The switch"),
            panels: &[
                Panel {
                    title: t("定时器迟到", "How late timers are"),
                    about: t("交换线程处理到期定时器的延迟。", "How late the switch came to what was due."),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 8),
                    queries: &[q(
                        "histogram_quantile(0.99, sum by (le) (rate(hotline_event_loop_lag_seconds_bucket{$S}[$__rate_interval])))",
                        t("99 百分位", "99th percentile"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("存活对象", "What is alive"),
                    about: t(
                        "SIP 事务、会话、RTP 端口对、注册的话机与待处理的事件。",
                        "SIP transactions and sessions, pairs of RTP ports, registered phones, and events that wait.",
                    ),
                    shape: Shape::Lines,
                    unit: "short",
                    size: (8, 8),
                    queries: &[
                        q("sum(hotline_sip_transactions{$S})", t("SIP 事务", "transactions")),
                        q("sum(hotline_sip_sessions{$S})", t("SIP 会话", "sessions")),
                        q("sum(hotline_rtp_ports_in_use{$S})", t("RTP 端口对", "pairs of ports")),
                        q("sum(hotline_registrations{$S})", t("已注册话机", "registered phones")),
                        q("sum(hotline_event_queue_depth{$S})", t("待处理事件", "events waiting")),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("处理器", "Processor"),
                    about: t("进程占用的处理器核数。", "Cores that the process uses."),
                    shape: Shape::Lines,
                    unit: "short",
                    size: (8, 8),
                    queries: &[q(
                        "sum by (instance) (rate(process_cpu_seconds_total{$S}[$__rate_interval]))",
                        t("{{instance}}", "{{instance}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("内存", "Memory"),
                    about: t("进程的常驻内存。", "Resident memory of the process."),
                    shape: Shape::Lines,
                    unit: "bytes",
                    size: (8, 8),
                    queries: &[q(
                        "sum by (instance) (process_resident_memory_bytes{$S})",
                        t("{{instance}}", "{{instance}}"),
                    )],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("文件描述符", "File descriptors"),
                    about: t("已打开的与允许的文件描述符。", "Open ones, and how many there may be."),
                    shape: Shape::Lines,
                    unit: "short",
                    size: (8, 8),
                    queries: &[
                        q("sum(process_open_fds{$S})", t("已打开", "open")),
                        q("sum(process_max_fds{$S})", t("上限", "most")),
                    ],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
                Panel {
                    title: t("抓取", "The scrape"),
                    about: t(
                        "一次抓取的耗时与序列数（来自 Prometheus 本身）。",
                        "How long a scrape takes, as Prometheus itself says; it should stay far below the interval.",
                    ),
                    shape: Shape::Lines,
                    unit: "s",
                    size: (8, 8),
                    queries: &[q("max by (instance) (scrape_duration_seconds{$S})", t("{{instance}}", "{{instance}}"))],
                    steps: CALM,
                    range: (Some(0.0), None),
                },
            ],
        },
    ],
};
