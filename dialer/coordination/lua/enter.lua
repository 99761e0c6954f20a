-- A worker's new connection. ARGV[1]: an id for a new epoch, should one be needed; [4]: the server
-- process (run_id); [5]: the epoch that the worker was in; [6]: its leases as "server:age" words,
-- age in microseconds since they were renewed; then its slots as server, client, channel.
-- Answers the epoch's id and state.
local RUN, KNEW = ARGV[4], ARGV[5]
local epoch = redis.call('HMGET', P .. 'epoch', 'id', 'run', 'open')
local id, open = epoch[1], epoch[3]

if not id or epoch[2] ~= RUN then
  for _, server in ipairs(redis.call('SMEMBERS', P .. 'servers')) do
    redis.call('DEL', P .. 'on:' .. server)
  end
  for _, key in ipairs({'beats', 'claims', 'connections', 'counts', 'leases', 'offers', 'rebuild',
                        'servers', 'shares', 'turns', 'waits', 'wanted'}) do
    redis.call('DEL', P .. key)
  end
  id, open = EPOCH, '0'
  redis.call('HSET', P .. 'epoch', 'id', id, 'run', RUN, 'open', open, 'era', 0, 'era_at', 0)
  redis.call('PUBLISH', CHANNEL, 'E')
end
redis.call('HSET', P .. 'connections', WORKER, CONNECTION)

-- Only before it opens: later somebody may have been granted what this worker believes its own.
if id ~= KNEW and open == '0' then
  local now = ask_clock()
  for server, age in string.gmatch(ARGV[6], '(%d+):(%d+)') do
    local best = redis.call('HGET', P .. 'claims', server)
    if not best or now - age > tonumber(best) then
      redis.call('HSET', P .. 'claims', server, digits(now - age))
      redis.call('HSET', P .. 'leases', server, WORKER)
    end
  end
  for i = 7, #ARGV, 3 do put(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
end
return id .. ' ' .. (open == '1' and 'OPEN' or 'CLOSED')
