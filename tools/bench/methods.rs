//! The parts of the bench in their order, and how each measures, for people who read the report.

/// Id and method.
pub(crate) const PARTS: [(&str, &str); 12] = [
    (
        "transcode",
        "A process that runs our engine over an FLV file and writes all renditions as fMP4 to disk, against the usual `ffmpeg` command (x264 \
         veryfast 2800/1400/800 kbit/s, maxrate 1.07, bufsize 1.5, `-g 60 -sc_threshold 0`, three AAC encodes, HLS in fMP4 to disk; of a 1080p \
         source it scales to the same three rungs).\n\
         User and system seconds of the whole process, medians of three rounds in turns.\n\
         The source is what OBS sends: \
         x264 veryfast, constant 6 Mbit/s, an IDR every two seconds, two B-frames, AAC 128 kbit/s.\n\
         The clip has 720 lines; 1080 are it upscaled by 1.5 and sharpened, with mild grain.\n\
         *Copied* is the engine's default: the source's own packets and sound are the top rendition.",
    ),
    (
        "quality",
        "VMAF (libvmaf's default model, every seventh picture, mean) of each rung scaled bicubically to the source's size, against the decoded source.\n\
         In brackets what the pictures take, ours and the peer's; the remark is ours minus the peer's.",
    ),
    (
        "stages",
        "The engine measures itself on the threads that do the work, with one decoder thread.\n\
         *Everything else* is the process' CPU while the engine \
         runs minus all stages: reading FLV, libavformat's demuxing and its fMP4 muxer (one for each rendition and segment, also for copied packets), \
         libav's parsing, queues and threads; libav's part in it is not told apart.",
    ),
    (
        "memory",
        "VmHWM of a process that only transcodes, media from a file, made segments dropped at once; uploads come on top in a task.",
    ),
    (
        "catch-up",
        "The engine over a file, nothing holding it back, by the wall clock; median of three.\n\
         The remark is what its CPU time would allow on all cores.",
    ),
    (
        "first-segment",
        "From the start of the encoder's process until the first media segment (low latency: the first part) has been downloaded from the edge, looked for every 25 ms; \
         transcoder task start included: a local process.\n\
         640x360 with three small rungs, IDR every two seconds; against nginx-rtmp with the same ladder by an exec'ed ffmpeg.\n\
         Median of five.",
    ),
    (
        "latency",
        "`tests/browser/latency.mjs`: pictures with the time in them, published by ffmpeg (veryfast, zerolatency) into the local stack and watched \
         on the player page in headless Chromium on the same machine, which decodes and draws in software.",
    ),
    (
        "requests",
        "Counted by the local stack's S3, DynamoDB and Lambda of both regions, over 30 s of a live stream that nobody watches.",
    ),
    (
        "gateway",
        "200 RTMP sessions send one 3 Mbit/s FLV clip over and over in real time, in chunks of 4096 bytes and a write for each chunk, as OBS does, \
         begun one after the other within two seconds; after ten seconds of warming up it is measured for a minute.\n\
         User and system seconds of the gateway's process \
         per Gbit that came in; resident memory per stream above idle, after more than a minute of media of which nothing was committed.\n\
         Against nginx-rtmp's worker process, which keeps nothing.\n\
         *Kept*: nobody reads until all is sent; then each session is read to its end through the source link.\n\
         *Read at once*: each session is read by a transcoder's \
         kind of request while it comes, and committed every two seconds.\n\
         In both every message is compared byte by byte with what was sent.\n\
         The time from encoder to transcoder is from when a message is due to be sent until the reader has it whole, in the same process; so it has the measuring programs' own delays in it.",
    ),
    (
        "functions",
        "The real binaries in the local Lambda host; init is process start until the first call for work.",
    ),
    (
        "cold",
        "A function's process in a cgroup whose CPU quota is the share that Lambda gives to its memory (memory / 1769 MiB of a CPU, counted over 20 ms), from its start to the \
         answer to its first request, which it is handed as soon as it asks. Table and Secrets Manager answer 20 ms late, RunTask a second; all of them behind TLS (RSA 2048), whose handshakes the share pays for, \
         as it pays for reading the system's trusted certificates. Median of three. Not in it: what Lambda itself takes to make an environment. Lambda gives more CPU while a function starts; here it has its share from the first instruction.",
    ),
    (
        "cost",
        "Computed: CPU-seconds per second of media from *transcode* (x86 here, ARM prices: a vCPU of Graviton is taken for one of these cores) give the \
         smallest Fargate size that is at most 70 % full, requests come from *requests* and *latency*, bytes from *transcode*, prices from [prices.json](prices.json), where each has its source; \
         what it marks as from memory is to be checked before it is quoted.\n\
         A stream-hour has all its renditions watched through one Origin Shield, \
         objects mirrored, and each object fetched once from its bucket.\n\
         Standing costs (gateway, load balancer, about $35 to 40 a month and region) and the encoder's \
         traffic between zones are not in it.\n\
         MediaLive is one pipeline with an HD AVC input and the same number of outputs, without packaging; its viewer-hour is what AWS's example ladder takes.",
    ),
];
