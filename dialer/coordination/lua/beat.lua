-- A worker shows that it lives, which renews its leases; and all that it needs to know of the
-- others. ARGV[4]: the servers that it offers to drive; [5]: those that it gives back; [6]: those
-- that it wants, as "server:owner:beat" words, owner "-": nobody's; [7]: workers that it saw dead,
-- as "worker:beat". A beat named here must not have gone on since.
local state, era = judge()
if not era then return cjson.encode({state = state}) end
local beats, leases = P .. 'beats', P .. 'leases'
redis.call('HINCRBY', beats, WORKER, 1)
redis.call('HSET', P .. 'offers', WORKER, ARGV[4])

for server in string.gmatch(ARGV[5], '%d+') do
  if redis.call('HGET', leases, server) == WORKER then
    redis.call('HDEL', leases, server)
    redis.call('PUBLISH', CHANNEL, 'L')
  end
end

local function stands_still(worker, beat)
  return (redis.call('HGET', beats, worker) or '0') == beat
end

if state == 'OPEN' then
  for server, owner, beat in string.gmatch(ARGV[6], '(%d+):(%S-):(%d+)') do
    local holder = redis.call('HGET', leases, server) or '-'
    if holder == owner and (holder == '-' or stands_still(holder, beat)) then
      redis.call('HSET', leases, server, WORKER)
      redis.call('SADD', P .. 'servers', server)
    end
  end
end

for worker, beat in string.gmatch(ARGV[7], '(%S-):(%d+)') do
  if stands_still(worker, beat) then
    redis.call('HDEL', beats, worker)
    redis.call('HDEL', P .. 'offers', worker)
    redis.call('HDEL', P .. 'connections', worker)
  end
end

local function read(key)
  local flat, map = redis.call('HGETALL', P .. key), {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end
return cjson.encode({
  state = state, now = digits(ask_clock()), era = era,
  beats = read('beats'), offers = read('offers'), leases = read('leases'),
})
