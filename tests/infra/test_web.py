import json
import re
from html.parser import HTMLParser
from typing import Any

from infra.assets import ROOT
from tests.infra.conftest import Stacks, spelled

DISTRIBUTION = "AWS::CloudFront::Distribution"
HEADERS = "AWS::CloudFront::ResponseHeadersPolicy"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST_HEADER = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


def distribution(stacks: Stacks) -> dict[str, Any]:
    found: dict[str, Any] = stacks.properties("Web", DISTRIBUTION)["DistributionConfig"]
    return found


def origin(config: dict[str, Any], behavior: dict[str, Any]) -> dict[str, Any]:
    [found] = [each for each in config["Origins"] if each["Id"] == behavior["TargetOriginId"]]
    return dict(found)


def test_the_api_is_reached_under_its_own_path_uncached_and_with_the_callers_headers(dev: Stacks) -> None:
    config = distribution(dev)
    [api] = config["CacheBehaviors"]

    assert api["PathPattern"] == "/v1/*"
    assert api["CachePolicyId"] == CACHING_DISABLED
    assert api["OriginRequestPolicyId"] == ALL_VIEWER_EXCEPT_HOST_HEADER
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(api["AllowedMethods"])
    assert api["ViewerProtocolPolicy"] == "https-only"
    assert "execute-api" in json.dumps(origin(config, api)["DomainName"])
    assert "OriginPath" not in origin(config, api), "the path has the stage's name already"
    assert origin(config, api)["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]


def test_everything_else_is_the_site_read_by_cloudfront_alone(dev: Stacks) -> None:
    config = distribution(dev)
    site = origin(config, config["DefaultCacheBehavior"])
    policy = dev.properties("Web", "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]

    assert config["DefaultRootObject"] == "index.html"
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert site["OriginAccessControlId"]
    readers = [each["Principal"] for each in policy if each["Effect"] == "Allow" and "GetObject" in str(each)]
    assert {"Service": "cloudfront.amazonaws.com"} in readers
    assert {"AWS": "*"} not in readers


def test_an_error_of_the_api_is_never_replaced_by_a_page(dev: Stacks) -> None:
    assert "CustomErrorResponses" not in distribution(dev)


def test_both_sides_are_guarded_by_headers_and_the_page_runs_no_inline_code(dev: Stacks) -> None:
    site = _security(dev, "SiteHeaders")
    api = _security(dev, "ApiHeaders")

    for headers in (site, api):
        assert headers["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31_536_000
        assert headers["ContentTypeOptions"] == {"Override": True}
        assert headers["FrameOptions"]["FrameOption"] == "DENY"
        assert headers["ReferrerPolicy"]["ReferrerPolicy"] == "strict-origin-when-cross-origin"
    policy = spelled(site["ContentSecurityPolicy"]["ContentSecurityPolicy"])
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    bucket = r"https://\S*Audio\S*\.s3\.AWS::Region\.AWS::URLSuffix"
    assert re.search(rf"media-src 'self' blob: {bucket};", policy)
    assert re.search(rf"connect-src 'self' {bucket};", policy)


def _security(stacks: Stacks, prefix: str) -> dict[str, Any]:
    config = stacks.properties("Web", HEADERS, prefix)["ResponseHeadersPolicyConfig"]
    found: dict[str, Any] = config["SecurityHeadersConfig"]
    return found


def test_the_edge_speaks_the_newest_http(dev: Stacks) -> None:
    assert distribution(dev)["HttpVersion"] == "http2and3"


def test_a_deployment_publishes_the_site_and_empties_the_edges_memory(dev: Stacks) -> None:
    publish = dev.properties("Web", "Custom::CDKBucketDeployment")

    assert publish["DistributionPaths"] == ["/*"]
    assert publish["DestinationBucketName"]["Ref"].startswith("Site")


class Page(HTMLParser):
    """What a page refers to, and what of it a strict content policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.refused: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links |= {url for name in ("href", "src") if (url := values.get(name))}
        if tag == "style" or (tag == "script" and "src" not in values):
            self.refused.append(tag)
        self.refused += [name for name in values if name == "style" or name.startswith("on")]


def test_the_page_needs_nothing_that_its_content_policy_refuses() -> None:
    page = Page()

    page.feed((ROOT / "web/index.html").read_text())

    assert page.refused == []
    assert "v1/docs" in page.links
    files = {link for link in page.links if not link.startswith("v1/")}
    assert files
    assert [name for name in files if not (ROOT / "web" / name).is_file()] == []
