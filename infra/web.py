"""What people see: the studio's files in a private bucket, behind CloudFront, which sends `/v1/*` to the API.

One origin for page and API, so that the page needs no CORS and no configured address.
"""

from typing import Any

from aws_cdk import Annotations, Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from constructs import Construct

from infra.data import Data
from infra.gateway import STAGE_NAME
from infra.publishing import publish
from infra.rules import accept
from infra.service import Service
from infra.stage import Stage
from infra.storage import private_bucket

HSTS_DAYS = 365

# The studio's own addresses have no extension and are all index.html; a missing file stays a 404,
# and nothing here touches /v1, as an error page of the whole distribution would.
PAGES = """
function handler(event) {
  var request = event.request;
  if (!request.uri.split('/').pop().includes('.')) request.uri = '/index.html';
  return request;
}
"""


class Web(Stack):
    def __init__(self, scope: Construct, id: str, *, stage: Stage, data: Data, service: Service) -> None:
        super().__init__(scope, id, description=f"Cadenza ({stage.name}): the studio's hosting")
        self.stage, self.data, self.service = stage, data, service
        self.site = private_bucket(
            self,
            "Site",
            stage,
            server_access_logs_bucket=data.logs,
            server_access_logs_prefix="site/",
        )
        self.distribution = self._distribution()
        publish(self, "Publish", stage, site=self.site, distribution=self.distribution)
        CfnOutput(self, "SiteUrl", value=f"https://{stage.site_domain or self.distribution.domain_name}")
        CfnOutput(self, "SiteBucketName", value=self.site.bucket_name)
        CfnOutput(self, "DistributionId", value=self.distribution.distribution_id)
        CfnOutput(self, "DistributionDomainName", value=self.distribution.domain_name)

    def _distribution(self) -> cloudfront.Distribution:
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"Cadenza ({self.stage.name})",
            default_behavior=self._pages(),
            additional_behaviors={f"/{STAGE_NAME}/*": self._api()},
            default_root_object="index.html",
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            log_bucket=self.data.logs,
            log_file_prefix="distribution/",
            **self._domain(),
        )
        self._accept_findings(distribution)
        return distribution

    def _accept_findings(self, distribution: cloudfront.Distribution) -> None:
        accept(
            distribution, "CFR1", "Music knows no borders: which countries to serve is the operator's choice."
        )
        accept(distribution, "CFR2", "A web ACL costs more than an idle stage; the API limits requests.")
        if self.stage.site_certificate is None:
            tls = "CloudFront's own certificate allows no choice; site_domain brings TLS 1.2."
            accept(distribution, "CFR4", tls)
        Annotations.of(distribution).acknowledge_warning(
            "@aws-cdk/aws-cloudfront-origins:listBucketSecurityRisk",
            "Every address without a file name is index.html: no request reaches the bucket's listing.",
        )

    def _domain(self) -> dict[str, Any]:
        if self.stage.site_domain is None or self.stage.site_certificate is None:
            return {}
        arn = self.stage.site_certificate
        return {
            "domain_names": [self.stage.site_domain],
            "certificate": acm.Certificate.from_certificate_arn(self, "Certificate", arn),
            "minimum_protocol_version": cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
        }

    def _pages(self) -> cloudfront.BehaviorOptions:
        # With the right to list, S3 says 404 for a missing file, not 403.
        origin = origins.S3BucketOrigin.with_origin_access_control(
            self.site, origin_access_levels=[cloudfront.AccessLevel.READ, cloudfront.AccessLevel.LIST]
        )
        pages = cloudfront.Function(
            self,
            "Pages",
            code=cloudfront.FunctionCode.from_inline(PAGES),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        return cloudfront.BehaviorOptions(
            origin=origin,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
            response_headers_policy=self._headers("SiteHeaders", self._content_policy()),
            function_associations=[
                cloudfront.FunctionAssociation(
                    function=pages, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST
                )
            ],
        )

    def _api(self) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            # No origin path: the stage's name is in the viewer's path already.
            origin=origins.HttpOrigin(
                self.service.gateway.host,
                protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
            ),
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            # Plain HTTP is refused, not redirected: a redirected POST has shown its body already.
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            response_headers_policy=self._headers("ApiHeaders", None),
        )

    def _headers(self, id: str, content_policy: str | None) -> cloudfront.ResponseHeadersPolicy:
        """Security headers. With None the origin's content policy stands: the API's docs page has its own."""
        policy = content_policy and cloudfront.ResponseHeadersContentSecurityPolicy(
            content_security_policy=content_policy, override=True
        )
        return cloudfront.ResponseHeadersPolicy(
            self,
            id,
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=policy or None,
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.STRICT_ORIGIN_WHEN_CROSS_ORIGIN,
                    override=True,
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.days(HSTS_DAYS), include_subdomains=True, override=True
                ),
            ),
        )

    def _content_policy(self) -> str:
        """The page's own files, and the audio that presigned links lead to; no inline script, no frames."""
        # As lambdas/aws/clients.py has them signed.
        audio = f"https://{self.data.audio.bucket_name}.s3.{Aws.REGION}.{Aws.URL_SUFFIX}"
        return "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self' data:",
                "font-src 'self'",
                f"connect-src 'self' {audio}",
                f"media-src 'self' blob: {audio}",
                "manifest-src 'self'",
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            )
        )
