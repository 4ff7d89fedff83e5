"""What AWS asks, in dollars: us-east-1, on demand, no free tier, as on the services' pricing pages.

Noted in November 2026 from what was public then; check https://aws.amazon.com/pricing before you rely on it.
"""

MILLION = 1_000_000

LAMBDA_GB_SECOND = 0.0000133334  # arm64
LAMBDA_REQUEST = 0.20 / MILLION
API_GATEWAY_REQUEST = 3.50 / MILLION  # REST API
DYNAMODB_WRITE = 0.625 / MILLION  # request unit: up to 1 KB, per table or index written
DYNAMODB_READ = 0.125 / MILLION  # request unit: up to 4 KB, strongly consistent
SQS_REQUEST = 0.40 / MILLION
S3_PUT = 5.00 / MILLION  # PUT and COPY; DELETE is free
S3_GET = 0.40 / MILLION
S3_GB_MONTH = 0.023
TRANSFER_GB = 0.09  # out to the internet; the first 100 GB of a month are free
TRACE = 5.00 / MILLION  # recorded by X-Ray

FULL_CORE_MB = 1769  # the memory at which a function has one core to itself


def lambda_usd(ms: float, memory_mb: int) -> float:
    """One invocation that takes so long with a core of its own, as these benchmarks give it.

    Below a full core a function gets a share in proportion to its memory, takes longer in the same
    proportion and costs the same: so it is priced as if it had the full core's memory.
    """
    gigabytes = max(memory_mb, FULL_CORE_MB) / 1024
    return LAMBDA_REQUEST + ms / 1000 * gigabytes * LAMBDA_GB_SECOND
