-- A worker goes: its leases are anybody's. Late requests of its are refused from now on.
if not select(2, judge()) then return 'OK' end
local leases = redis.call('HGETALL', P .. 'leases')
for i = 1, #leases, 2 do
  if leases[i + 1] == WORKER then redis.call('HDEL', P .. 'leases', leases[i]) end
end
for _, key in ipairs({'beats', 'offers', 'connections'}) do redis.call('HDEL', P .. key, WORKER) end
redis.call('PUBLISH', CHANNEL, 'L')
return 'OK'
