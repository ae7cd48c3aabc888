//! The HTTP APIs of the account, in both regions: API Gateway's tags are how one stack finds the other.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_apigatewayv2::Client;
use aws_sdk_apigatewayv2::config::Region as ApiRegion;
use headwater_domain::Region;
use headwater_domain::ports::{FaultKind, ListedApi, PortError, PortResult, ReadApis};

use crate::error::port;

/// APIs asked for at a time.
const PAGE: &str = "100";
/// Pages read of one region. Its quota is 600 HTTP and WebSocket APIs unless raised (API Gateway quotas).
const MAX_PAGES: usize = 50;
/// The stage that is served without a name in the path.
const STAGE: &str = "$default";

/// API Gateway, in whichever region is asked for.
#[derive(Debug, Clone)]
pub struct Apis {
    config: SdkConfig,
}

impl Apis {
    /// With the credentials and, on an emulator, the one endpoint of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone() }
    }

    fn client(&self, region: &Region) -> Client {
        let config = aws_sdk_apigatewayv2::config::Builder::from(&self.config);
        Client::from_conf(config.region(ApiRegion::new(region.to_string())).build())
    }
}

impl ReadApis for Apis {
    async fn apis(&self, region: &Region) -> PortResult<Vec<ListedApi>> {
        const ACTION: &str = "list the HTTP APIs";
        let client = self.client(region);
        let (mut found, mut next) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = client.get_apis().max_results(PAGE).set_next_token(next).send().await;
            let page = page.map_err(port(ACTION))?;
            found.extend(page.items().iter().map(|api| ListedApi {
                id: api.api_id().unwrap_or_default().to_owned(),
                endpoint: api.api_endpoint().unwrap_or_default().to_owned(),
                tags: sorted(api.tags()),
            }));
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(found);
            }
        }
        let source = format!("the listing does not end after {MAX_PAGES} pages").into();
        Err(PortError { kind: FaultKind::Corrupt, action: ACTION, source })
    }

    async fn stage_tags(&self, region: &Region, api: &str) -> PortResult<BTreeMap<String, String>> {
        let request = self.client(region).get_stage().api_id(api).stage_name(STAGE);
        let stage = request.send().await.map_err(port("read the stage $default"))?;
        Ok(sorted(stage.tags()))
    }
}

fn sorted(tags: Option<&std::collections::HashMap<String, String>>) -> BTreeMap<String, String> {
    tags.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}
