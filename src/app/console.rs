//! HTTP for people and programs: the console, and the API beside it on the same address.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::{House, Running, Shared, os_seed, vault};
use crate::config::Config;
use crate::dialplan::plan::Plans;
use crate::ids::Random;
use crate::io::prompts::Prompts;
use crate::io::questions::{Asking, Questions};
use crate::io::space::{Gauge, Mounted, Space as _};
use crate::io::tcp;
use crate::metrics::Metrics;
use crate::store::People;
use crate::web::desk::{Desk, Opens, Settings, Surroundings};
use crate::web::{self, api, auth, routes};

/// Calls are answered all the same if another program has the port that nobody asked for.
pub(super) fn bind(config: &Config) -> Result<Option<TcpListener>> {
    let Some(address) = config.http_listen else { return Ok(None) };
    match tcp::bind(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if !config.http_is_asked => {
            tracing::warn!(%address, %error, "there is no console: name another [http] listen, or \"off\"");
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address} for the console")),
    }
}

impl House<'_> {
    /// `None`: `[http] listen` is off.
    pub(super) fn open_http(
        &self,
        listener: Option<TcpListener>,
        (questions, gauge): (&Questions, Gauge),
        shared: &Shared,
        plans: &Arc<Plans>,
    ) -> Result<Option<Desk>> {
        let Some(listener) = listener else { return Ok(None) };
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let asking = Arc::new(Asking {
            questions: questions.clone(),
            mailbox: self.mailbox.clone(),
            clock: self.clock,
            data_directory: self.config.data_directory.clone(),
        });
        let settings = Settings {
            behind_tls: self.config.http_behind_tls,
            vault: vault(self.config),
            agents_hear: self.config.inspection.agents_hear,
            prompts: Prompts::new(self.config.dialplans.directory(), &self.config.data_directory),
        };
        let (clock, metrics) = (self.clock, Arc::clone(self.metrics));
        let mounted = Mounted(self.config.data_directory.join("recordings"));
        let surroundings = Surroundings {
            now: Arc::new(move || clock.now()),
            readiness: Arc::clone(&shared.readiness),
            trunks: Arc::new(move || trunks(&metrics)),
            disk: Arc::new(move || mounted.usage().ok().map(|usage| (usage.used, usage.all, gauge.level().word()))),
        };
        let random = Random::from_seed(os_seed()?);
        let directory = &self.config.data_directory;
        let backend = Arc::clone(&asking) as Arc<dyn api::Backend>;
        let desk = Desk::new(directory, settings, surroundings, backend, Arc::clone(plans), random)
            .context("cannot open the console's tables")?;
        let mut router = routes::router(&desk);
        if let Some(token) = self.config.api_token.clone() {
            let gate = auth::Gate::new(token, self.clock.now().mono);
            router = router.nest("/api", api::router(gate, asking));
        }
        tokio::runtime::Handle::current().spawn(web::serve(listener, router));
        Ok(Some(desk))
    }
}

/// Which probed trunks answer, as the gauge says it.
fn trunks(metrics: &Metrics) -> Vec<(String, bool)> {
    let text = metrics.encode().unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix("hotline_trunk_up{trunk=\""));
    lines.filter_map(|line| line.split_once("\"} ")).map(|(name, up)| (name.to_owned(), up.trim() == "1")).collect()
}

impl Running {
    /// The address of the console; `None`: there is none.
    pub fn console(&self) -> Option<String> {
        self.addresses.http.map(|address| format!("http://{address}"))
    }

    /// Where the first admin is made, if there is nobody yet: a path that is good once.
    pub fn setup_link(&self) -> Result<Option<String>> {
        let Some(desk) = &self.desk else { return Ok(None) };
        let is_empty = People::open(&self.config.data_directory)?.is_empty()?;
        Ok(is_empty.then(|| desk.link(Opens::Setup)))
    }

    pub fn desk(&self) -> Option<&Desk> {
        self.desk.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gateway without a console answers calls; one that was told to have it says why it cannot.
    #[test]
    fn a_port_that_nobody_asked_for_may_be_taken() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hotline.toml");
        let of = |text: String| {
            std::fs::write(&file, text).unwrap();
            crate::config::read(Some(&file)).unwrap()
        };
        let taken = other.local_addr().unwrap();
        let asked = of(format!("[http]\nlisten = \"{taken}\"\n"));
        assert!(asked.http_is_asked);
        let error = bind(&asked).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {taken} for the console"));
        let unasked = of(String::new());
        assert!(!unasked.http_is_asked);
        assert!(bind(&Config { http_listen: Some(taken), ..unasked }).unwrap().is_none());
    }
}
