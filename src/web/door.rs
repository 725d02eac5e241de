//! The door of the console: who is it, may they, did the form come from a page of ours. Every route of the table is behind it, and
//! every answer leaves through it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::desk::Desk;
use super::page::{Asked, Fields, Refusal, Request, Visitor, go, refused};
use super::routes::Who;
use super::words;
use crate::limits::{FORM_BYTES, UPLOAD_BYTES};
use crate::store::session::Secret;

/// Behind TLS the name says so: a browser takes a `__Host-` cookie from nobody else, and sends it nowhere else.
fn cookie_name(desk: &Desk) -> &'static str {
    if desk.is_behind_tls() { "__Host-sid" } else { "sid" }
}

pub(super) async fn admit(State((desk, who)): State<(Desk, Who)>, request: HttpRequest, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let headers = &parts.headers;
    let secret = cookie(headers, cookie_name(&desk)).and_then(Secret::parse);
    let visitor = match secret {
        Some(secret) => visitor(&desk, secret).await,
        None => Ok(None),
    };
    let (visitor, fault) = visitor.map_or_else(|refusal| (None, Some(refusal)), |visitor| (visitor, None));
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let language = visitor.as_ref().and_then(|visitor| visitor.person.language.as_deref());
    let words = words::chosen(language, cookie(headers, "language"), text(header::ACCEPT_LANGUAGE));
    let mut request = Request {
        words,
        who: visitor,
        path: parts.uri.path().to_owned(),
        query: Fields::parse(parts.uri.query().unwrap_or_default().as_bytes()),
        form: Fields::default(),
        file: Bytes::new(),
        is_htmx: headers.contains_key("hx-request"),
        source: source(&desk, &parts.extensions, headers),
        nonce: desk.secret().hex(),
        desk,
    };
    let mut body = body;
    let mut checked = fault.map_or(Ok(()), Err);
    if checked.is_ok() && is_unsafe(&parts.method) {
        checked = sent(&mut request, headers, body).await;
        body = Body::empty();
    }
    let asked = Asked(Arc::new(request));
    let response = match checked.and_then(|()| allowed(&asked, who)) {
        Ok(true) => {
            parts.extensions.insert(asked.clone());
            next.run(HttpRequest::from_parts(parts, body)).await
        }
        Ok(false) => to_login(&asked, &parts.method),
        Err(refusal) => refusal.into_response(),
    };
    leave(&asked, response)
}

async fn visitor(desk: &Desk, secret: Secret) -> Result<Option<Visitor>, Refusal> {
    let asked = secret.clone();
    let person = desk.change(move |people, at| people.session(&asked, at)).await?;
    Ok(person.map(|person| Visitor { person, secret }))
}

fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether it may be done; false: after logging in, perhaps.
fn allowed(asked: &Asked, who: Who) -> Result<bool, Refusal> {
    match (who, asked.visitor()) {
        (Who::Anybody, _) | (Who::LoggedIn, Some(_)) => Ok(true),
        (Who::Only(roles), Some(visitor)) if visitor.person.roles.meets(roles) => Ok(true),
        (Who::Only(_), Some(_)) => Err(Refusal::Forbidden),
        (_, None) => Ok(false),
    }
}

/// What is sent must come from a page of ours (Fetch Metadata, or Origin where a browser does not send it), and, of whoever is logged
/// in, carry the token of the session. A WAV is a file, all else a form.
async fn sent(request: &mut Request, headers: &HeaderMap, body: Body) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let from_us = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => text("host").is_some_and(|host| origin.split_once("://").is_some_and(|o| o.1 == host)),
        (None, None) => false,
    };
    if !from_us {
        return Err(Refusal::Forbidden);
    }
    // Strangers send forms only: of a file nothing is read before it is known who sends it.
    let is_file = request.who.is_some() && text("content-type") == Some("audio/wav");
    let most = if is_file { UPLOAD_BYTES } else { FORM_BYTES };
    let body = axum::body::to_bytes(body, most).await.map_err(|_| Refusal::Told("refusal-too-long"))?;
    if is_file {
        request.file = body;
    } else {
        request.form = Fields::parse(&body);
    }
    let Some(visitor) = &request.who else { return Ok(()) };
    let token = text("x-token").unwrap_or_else(|| request.form.get("token"));
    if token != visitor.secret.form_token() {
        return Err(Refusal::Told("refusal-old-form"));
    }
    Ok(())
}

fn to_login(asked: &Asked, method: &Method) -> Response {
    let next = if is_unsafe(method) { "/" } else { &asked.0.path };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", next);
    let path = format!("/login?{}", query.finish());
    if asked.is_htmx() {
        let to = HeaderValue::from_str(&path).unwrap_or_else(|_| HeaderValue::from_static("/login"));
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", to)]).into_response();
    }
    go(&path)
}

/// Where a request comes from. Behind a proxy that speaks TLS for us, the address that the proxy added.
fn source(desk: &Desk, extensions: &axum::http::Extensions, headers: &HeaderMap) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let last = forwarded.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    last.filter(|_| desk.is_behind_tls()).unwrap_or(peer)
}

/// The value of a cookie (RFC 6265 section 5.4). If it is there twice, somebody else may have set one of them: none counts.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let value = found.next();
    if found.next().is_some() { None } else { value }
}

/// The cookie that makes a session the browser's.
pub(super) fn session_cookie(desk: &Desk, secret: Option<&Secret>) -> HeaderValue {
    let secure = if desk.is_behind_tls() { "; Secure" } else { "" };
    let (value, age) = match secret {
        Some(secret) => (secret.hex(), ""),
        None => (String::new(), "; Max-Age=0"),
    };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", cookie_name(desk));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Every answer: a refusal becomes a page, and the browser is told what the page may do.
fn leave(asked: &Asked, mut response: Response) -> Response {
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        response = refused(asked, &refusal);
    }
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{}'; img-src 'self' data:; media-src 'self' blob:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        asked.0.nonce
    );
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("content-security-policy", &policy);
    set("x-content-type-options", "nosniff");
    set("x-frame-options", "DENY");
    set("referrer-policy", "same-origin");
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
    set("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
    if asked.desk().is_behind_tls() {
        set("strict-transport-security", "max-age=31536000");
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.append(header::VARY, HeaderValue::from_static("cookie, accept-language, hx-request"));
    response
}
