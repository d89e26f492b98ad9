//! Buckets that all nodes take from: full at first, and full again a minute after the last was
//! taken.

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::Script;

use super::Redis;

/// A bucket is the time at which it will be full again, in microseconds, by the clock of Redis.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local per_minute = ARGV[1]
         local time = redis.call('time')
         local now = time[1] * 1000000 + time[2]
         local interval = math.floor(60000000 / per_minute)
         local full = math.max(tonumber(redis.call('get', KEYS[1]) or '0'), now) + interval
         local wait = full - now - interval * per_minute
         if wait > 0 then return wait end
         redis.call('set', KEYS[1], string.format('%.0f', full), 'px', math.ceil((full - now) / 1000))
         return 0",
    )
});

/// A budget is a bucket of bytes that may be overdrawn: then it is full again in more than a
/// period.
static SPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local size, period, bytes, always = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
         local time = redis.call('time')
         local now = time[1] * 1000000 + time[2]
         local full = math.max(tonumber(redis.call('get', KEYS[1]) or '0'), now)
         local wait = full - now - period
         if wait > 0 and always == '0' then return wait end
         full = full + math.ceil(bytes * period / size)
         if full > now then
             local life = math.ceil((full - now) / 1000)
             redis.call('set', KEYS[1], string.format('%.0f', full), 'px', life)
         end
         return 0",
    )
});

impl Redis {
    /// Takes bytes from a budget of `size` in a `period`, overdrawn or not if `always`; or says how
    /// long it is overdrawn. None if Redis does not answer.
    pub async fn take_from_budget(
        &self,
        name: &str,
        size: u32,
        period: Duration,
        bytes: usize,
        always: bool,
    ) -> Option<Result<(), Duration>> {
        let mut call = SPEND.key(self.key(&format!("budget:{name}")));
        let micros = period.as_micros().to_string();
        call.arg(size).arg(micros).arg(bytes).arg(u8::from(always));
        let wait: u64 = self.ask(async |mut redis| call.invoke_async(&mut redis).await).await?;
        Some(if wait == 0 { Ok(()) } else { Err(Duration::from_micros(wait)) })
    }

    /// Takes one from a bucket that holds `per_minute`; or says how long it is empty. None if Redis
    /// does not answer.
    pub async fn take_from_bucket(
        &self,
        name: &str,
        per_minute: u32,
    ) -> Option<Result<(), Duration>> {
        let mut call = TAKE.key(self.key(&format!("bucket:{name}")));
        call.arg(per_minute);
        let wait: u64 = self.ask(async |mut redis| call.invoke_async(&mut redis).await).await?;
        Some(if wait == 0 { Ok(()) } else { Err(Duration::from_micros(wait)) })
    }
}
