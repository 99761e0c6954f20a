-- A closed epoch is filled from the store, then opened. ARGV[4]: 'lock', 'load' or 'open'; for
-- 'load' [5]: the last starts as "client:age" words, age in microseconds; then slots as server,
-- client, channel. The lock only keeps others from doing the same work: it is not needed for
-- safety, since nothing is granted before one of them opens.
local state, era = judge()
if state ~= 'CLOSED' then return state end
if ARGV[4] == 'lock' then
  if redis.call('SET', P .. 'rebuild', WORKER, 'NX', 'PX', 3000) then return 'OK' end
  return redis.call('GET', P .. 'rebuild') == WORKER and 'OK' or 'BUSY'
elseif ARGV[4] == 'load' then
  local now = ask_clock()
  for client, age in string.gmatch(ARGV[5], '(%d+):(%d+)') do
    redis.call('HSET', P .. 'turns', client,
               digits(now - age) .. ' ' .. era .. ' 0 ' .. digits(now))
  end
  for i = 6, #ARGV, 3 do put(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
  return 'OK'
end
redis.call('HSET', P .. 'epoch', 'open', 1)
redis.call('DEL', P .. 'rebuild', P .. 'claims')
redis.call('PUBLISH', CHANNEL, 'E')
return 'OK'
