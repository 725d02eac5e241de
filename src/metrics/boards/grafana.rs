//! Grafana's classic JSON (schema 42), as Grafana 10 and newer load it from files.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::registry::LabelSets;
use super::super::table::{Label, METRICS};
use super::{BOARDS, Board, Language, Panel, Query, Shape, Text, WORDS, t};

const SCHEMA: u32 = 42;
const COLUMNS: u32 = 24;

/// Path below `deploy/grafana/dashboards`, and text, of every board in every language.
pub fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for language in Language::ALL {
        for board in BOARDS {
            let text = format!("{:#}\n", drawn(board, language));
            files.push((format!("{}/{}.json", language.word(), board.name), text));
        }
    }
    files
}

fn drawn(board: &Board, language: Language) -> Value {
    let tag = format!("hotline-{}", language.word());
    json!({
        "uid": format!("hotline-{}-{}", board.name, language.word()),
        "title": board.title.of(language),
        "description": board.about.of(language),
        "tags": ["hotline", tag],
        "schemaVersion": SCHEMA,
        "editable": false,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": { "from": board.from, "to": "now" },
        "refresh": board.refresh,
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "annotations": { "list": [] },
        "links": [{
            "type": "dashboards", "title": t("其他看板", "Boards").of(language), "tags": [tag], "asDropdown": false,
            "includeVars": true, "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "", "url": ""
        }],
        "templating": { "list": variables(language) },
        "panels": panels(board, language),
    })
}

fn variables(language: Language) -> Vec<Value> {
    let source = json!({
        "name": "datasource", "type": "datasource", "label": t("数据源", "Data source").of(language), "query": "prometheus",
        "refresh": 1, "hide": 0, "multi": false, "includeAll": false, "regex": "", "options": [], "current": {}
    });
    let all = |name: &str, label: Text, definition: &str| {
        json!({
            "name": name, "type": "query", "label": label.of(language), "datasource": source_of(),
            "definition": definition, "query": { "query": definition, "refId": name }, "refresh": 2, "sort": 1, "hide": 0,
            "multi": true, "includeAll": true, "allValue": ".+", "regex": "", "options": [],
            "current": { "text": ["All"], "value": ["$__all"] }
        })
    };
    vec![
        source,
        all("job", t("任务", "Job"), "label_values(hotline_build_info, job)"),
        all("instance", t("网关", "Gateway"), "label_values(hotline_build_info{job=~\"$job\"}, instance)"),
        all(
            "hotline",
            t("热线", "Hotline"),
            "label_values(hotline_open{job=~\"$job\",instance=~\"$instance\"}, hotline)",
        ),
    ]
}

fn source_of() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// From left to right and from top to bottom; a panel that has no room in its line begins the next.
fn panels(board: &Board, language: Language) -> Vec<Value> {
    let (mut all, mut top, mut id) = (Vec::new(), 0, 0);
    for section in board.sections {
        id += 1;
        all.push(json!({
            "id": id, "type": "row", "title": section.title.of(language), "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": top, "w": COLUMNS, "h": 1 }
        }));
        top += 1;
        let (mut left, mut highest) = (0, 0);
        for panel in section.panels {
            let (width, height) = panel.size;
            if left + width > COLUMNS {
                (left, top, highest) = (0, top + highest, 0);
            }
            id += 1;
            let mut drawn = panel.drawn(language);
            drawn["id"] = json!(id);
            drawn["gridPos"] = json!({ "x": left, "y": top, "w": width, "h": height });
            all.push(drawn);
            (left, highest) = (left + width, highest.max(height));
        }
        top += highest;
    }
    all
}

impl Panel {
    fn drawn(&self, language: Language) -> Value {
        let targets = self.queries.iter().zip('A'..='Z').map(|(query, id)| self.target(query, id, language));
        json!({
            "type": self.shape.plugin(),
            "title": self.title.of(language),
            "description": self.about.of(language),
            "datasource": source_of(),
            "targets": targets.collect::<Vec<_>>(),
            "fieldConfig": { "defaults": self.defaults(language), "overrides": self.overrides(language) },
            "options": self.options(),
        })
    }

    fn target(&self, query: &Query, id: char, language: Language) -> Value {
        let instant = matches!(self.shape, Shape::Stat | Shape::Bars);
        json!({
            "refId": id.to_string(), "datasource": source_of(), "editorMode": "code", "expr": selected(query.expr),
            "legendFormat": query.legend.of(language), "instant": instant, "range": !instant, "exemplar": query.exemplars
        })
    }

    fn defaults(&self, language: Language) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .enumerate()
            .map(|(place, (from, colour))| json!({ "value": (place > 0).then_some(*from), "color": colour }))
            .collect();
        let by_value = !matches!(self.shape, Shape::Lines | Shape::Stacked);
        let mut defaults = json!({
            "unit": self.unit,
            "color": { "mode": if by_value { "thresholds" } else { "palette-classic" } },
            "thresholds": { "mode": "absolute", "steps": steps },
            "noValue": "–",
        });
        // Estimates have fractions that mean nothing.
        match self.unit {
            "locale" => defaults["decimals"] = json!(0),
            "percentunit" | "s" if matches!(self.shape, Shape::Stat | Shape::Bars) => defaults["decimals"] = json!(1),
            _ => {}
        }
        if let Some(least) = self.range.0 {
            defaults["min"] = json!(least);
        }
        if let Some(most) = self.range.1 {
            defaults["max"] = json!(most);
        }
        match self.shape {
            Shape::Lines | Shape::Stacked => defaults["custom"] = self.lines(),
            Shape::Words(words) => {
                let of = |(place, (value, text, colour)): (usize, &(u8, Text, &str))| {
                    (value.to_string(), json!({ "text": text.of(language), "color": colour, "index": place }))
                };
                let options: serde_json::Map<String, Value> = words.iter().enumerate().map(of).collect();
                defaults["mappings"] = json!([{ "type": "value", "options": options }]);
            }
            Shape::Stat | Shape::Names | Shape::Bars => {}
        }
        defaults
    }

    fn lines(&self) -> Value {
        let stacked = matches!(self.shape, Shape::Stacked);
        json!({
            "drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": if stacked { 40 } else { 8 },
            "showPoints": "never", "spanNulls": false, "axisPlacement": "auto",
            "stacking": { "mode": if stacked { "normal" } else { "none" }, "group": "A" },
            "thresholdsStyle": { "mode": if self.steps.len() > 1 { "dashed" } else { "off" } }
        })
    }

    fn options(&self) -> Value {
        let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        match self.shape {
            Shape::Stat | Shape::Words(_) | Shape::Names => {
                let many = self.queries.len() > 1 || self.queries[0].legend.en.contains("{{");
                let text = match self.shape {
                    Shape::Names => "name",
                    _ if many => "value_and_name",
                    _ => "value",
                };
                json!({
                    "reduceOptions": last, "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
                    "textMode": text, "wideLayout": true
                })
            }
            Shape::Bars => json!({
                "reduceOptions": last, "displayMode": "basic", "orientation": "horizontal", "valueMode": "text",
                "namePlacement": "left", "showUnfilled": true, "sizing": "manual", "minVizHeight": 16, "maxVizHeight": 36, "minVizWidth": 8
            }),
            Shape::Lines | Shape::Stacked => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
                "tooltip": { "mode": "multi", "sort": "desc" }
            }),
        }
    }
}

impl Shape {
    fn plugin(self) -> &'static str {
        match self {
            Shape::Stat | Shape::Words(_) | Shape::Names => "stat",
            Shape::Bars => "bargauge",
            Shape::Lines | Shape::Stacked => "timeseries",
        }
    }
}

impl Panel {
    /// What the values of a closed label are called in the legend, each with a colour that is the same on all boards.
    fn overrides(&self, language: Language) -> Vec<Value> {
        let legends: Vec<&str> = self.queries.iter().map(|query| query.legend.en).collect();
        let shown = |label: &&Label| label.is_closed() && legends.contains(&format!("{{{{{}}}}}", label.name).as_str());
        let labels = METRICS.iter().flat_map(|metric| metric.labels).filter(shown);
        let words: BTreeSet<String> = labels.flat_map(|label| label.values(&LabelSets::default())).collect();
        let named = |(word, zh, colour): &(&str, &str, &str)| {
            let mut properties = vec![json!({ "id": "color", "value": { "mode": "fixed", "fixedColor": colour } })];
            if language == Language::Chinese {
                properties.push(json!({ "id": "displayName", "value": zh }));
            }
            json!({ "matcher": { "id": "byName", "options": word }, "properties": properties })
        };
        WORDS.iter().filter(|(word, ..)| words.contains(*word)).map(named).collect()
    }
}

fn selected(expr: &str) -> String {
    let of_gateway = "job=~\"$job\",instance=~\"$instance\"";
    expr.replace("$H", &format!("{of_gateway},hotline=~\"$hotline\""))
        .replace("$S", of_gateway)
        .replace("$R", "$__range")
}
