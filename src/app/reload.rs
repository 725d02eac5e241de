//! Another configuration for a gateway that is up: taken over as a whole, or not at all.

use std::sync::{Arc, PoisonError};

use anyhow::{Result, bail};

use super::{Running, accounts, label_sets, phones, supervisors, targets};
use crate::config::{Config, Loaded, RecordingSettings, SipSettings};
use crate::fault::Fault;
use crate::gateway::{self, Input};
use crate::metrics::Reload;

impl Running {
    /// Takes over what [`crate::config::check`] has read, or stays with what it has and logs every fault. Live calls go on with
    /// the dialplan that they began with. True if it was taken over.
    pub fn reload(&mut self, read: Result<Loaded, Vec<Fault>>) -> bool {
        let taken = match read {
            Ok(loaded) => self.take_over(loaded).inspect_err(|error| tracing::error!("reload: {error:#}")).is_ok(),
            Err(faults) => {
                for fault in &faults {
                    tracing::error!("reload: {fault}");
                }
                false
            }
        };
        self.metrics.counters().config_reload(if taken { Reload::Ok } else { Reload::Refused });
        if taken {
            tracing::info!(live = self.live_calls(), "the new configuration is in force");
        } else {
            tracing::error!("the new configuration is refused as a whole; the old one stays in force");
        }
        taken
    }

    fn take_over(&mut self, loaded: Loaded) -> Result<()> {
        let Loaded { config, plans } = loaded;
        // What can fail comes first.
        let (phones, named_phones) = phones(&config)?;
        if let Err(problems) = self.reload_certificates() {
            bail!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        }
        for key in needs_restart(&self.config, &config) {
            tracing::warn!("reload: {key} has changed: it stays as it was until the next start");
        }
        let sets = label_sets(&config, &plans);
        if !self.metrics.has_bounds_for(&sets) {
            tracing::warn!("reload: histograms get no bounds for new values of [answer] until the next start");
        }
        self.metrics.renew(sets);
        let (trunks, targets, plans) = (config.trunks.clone(), targets(&config), Arc::new(plans));
        *self.plans.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&plans);
        let accounts = accounts(&config);
        if let Some(desk) = &self.desk {
            desk.renew(Arc::clone(&plans));
        }
        let supervisors = supervisors(&config);
        let agents_calls = config.agents_calls.clone();
        let reload =
            gateway::Reload { trunks, phones, named_phones, targets, accounts, supervisors, agents_calls, plans };
        self.mailbox.event(Input::Reload(Box::new(reload)));
        *self.keeping.retention.lock().unwrap_or_else(PoisonError::into_inner) = config.recordings.retention.clone();
        super::inspecting::publish(&config, self.clock.now().wall)?;
        self.config = with_fixed(config, &self.config);
        self.metrics.counters().config_in_force(self.clock.now().wall);
        Ok(())
    }
}

/// Keys whose values belong to what was opened at the start.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = [
        ("data.directory", old.data_directory != new.data_directory),
        ("sip.listen", old.sip.listen != new.sip.listen),
        ("sip.advertise", old.sip.advertise != new.sip.advertise),
        ("sip.tls_certificate and its like", old.sip.tls != new.sip.tls),
        ("sip.session_expires_s", old.sip.session_expires_s != new.sip.session_expires_s),
        ("rtp.codecs, rtp.trunk_srtp or rtp.agent_srtp", old.media != new.media),
        ("dns.servers", old.dns_servers != new.dns_servers),
        ("features", old.codes != new.codes),
        ("qa", old.inspection != new.inspection),
        ("rtp.ports", old.rtp_ports != new.rtp_ports),
        ("http.listen", old.http_listen != new.http_listen),
        ("http.behind_tls", old.http_behind_tls != new.http_behind_tls),
        ("http.token_file", old.api_token != new.api_token),
        ("recordings.disk_full", old.recordings.at_full != new.recordings.at_full),
        ("recordings.key_file", old.recordings.keys != new.recordings.keys),
        ("recordings.objects", old.recordings.objects != new.recordings.objects),
        ("metrics.listen", old.metrics_listen != new.metrics_listen),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

/// The new configuration with the old values of those keys.
fn with_fixed(new: Config, old: &Config) -> Config {
    Config {
        data_directory: old.data_directory.clone(),
        sip: SipSettings { realm: new.sip.realm, digest: new.sip.digest, ..old.sip.clone() },
        codes: old.codes.clone(),
        rtp_ports: old.rtp_ports.clone(),
        media: old.media.clone(),
        dns_servers: old.dns_servers.clone(),
        recordings: RecordingSettings {
            at_full: old.recordings.at_full,
            keys: old.recordings.keys.clone(),
            objects: old.recordings.objects.clone(),
            ..new.recordings
        },
        inspection: old.inspection.clone(),
        http_listen: old.http_listen,
        http_is_asked: old.http_is_asked,
        http_behind_tls: old.http_behind_tls,
        api_token: old.api_token.clone(),
        metrics_listen: old.metrics_listen,
        ..new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_need_a_restart_are_named_and_keep_their_values() {
        let directory = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let file = directory.path().join("hotline.toml");
            std::fs::write(&file, text).unwrap();
            crate::config::read(Some(&file)).unwrap()
        };
        let old = read("[shutdown]\ndrain_s = 5\n");
        let new = read(
            "[data]\ndirectory = \"other\"\n[sip]\nlisten = [\"udp:127.0.0.1:5070\"]\nadvertise = \"192.0.2.1\"\nsession_expires_s = 90\n\
             [rtp]\nports = \"30000-30999\"\ncodecs = [\"PCMU\", \"PCMA\"]\n[http]\nlisten = \"off\"\n[metrics]\nlisten = \"127.0.0.1:1\"\n",
        );
        assert_eq!(
            needs_restart(&old, &new),
            [
                "data.directory",
                "sip.listen",
                "sip.advertise",
                "sip.session_expires_s",
                "rtp.codecs, rtp.trunk_srtp or rtp.agent_srtp",
                "rtp.ports",
                "http.listen",
                "metrics.listen"
            ]
        );
        assert_eq!(needs_restart(&old, &old), [""; 0]);
        let in_force = with_fixed(new, &old);
        assert_eq!(needs_restart(&old, &in_force), [""; 0]);
        assert_eq!(in_force.drain.as_secs(), 300, "what needs no restart is new");
    }
}
