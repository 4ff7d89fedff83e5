"""SageMaker on this machine: the part of it that Cadenza's stacks and functions use.

The emulated cloud has none, so these modules are one more service of its process. An endpoint's requests go
to the model container's own server, which runs beside it. Nothing here knows a model, a job or a song.

    answers        what an error looks like on the wire
    models         what a model may be
    endpoints      models, endpoint configurations and endpoints, as CloudFormation makes them
    scaling        Application Auto Scaling's targets and policies, which are kept and change nothing
    invoking       one HTTP request to a container, with a limit on its time and its bytes
    realtime       InvokeEndpoint: real-time and serverless endpoints, with their limits
    asynchronous   InvokeEndpointAsync: a queue, outputs in S3, notifications
    account        S3 and SNS of the emulated cloud
    service        what is asked of whom
    registration   makes it all part of the emulator: the only module that knows the emulator
"""
