-- What every script begins with.
-- KEYS[1]: the prefix of all keys; KEYS[2]: the channel on which workers wake each other.
-- ARGV[1]: the epoch; ARGV[2]: the worker; ARGV[3]: the number of its connection.
local P, CHANNEL = KEYS[1], KEYS[2]
local EPOCH, WORKER, CONNECTION = ARGV[1], ARGV[2], ARGV[3]

-- Microseconds of this machine's clock. 2^53 of them are 285 years: no digit is lost.
local function ask_clock()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

-- Numbers as text: Lua's own way writes 1.7e+15.
local function digits(number)
  return string.format('%.0f', number)
end

-- 'EPOCH': what the worker knows is of another time. 'STALE': it has a newer connection, or left;
-- this request is late. 'OPEN' or 'CLOSED': the epoch's state, with the era and its beginning.
local function judge()
  local epoch = redis.call('HMGET', P .. 'epoch', 'id', 'open', 'era', 'era_at')
  if epoch[1] ~= EPOCH then return 'EPOCH' end
  if redis.call('HGET', P .. 'connections', WORKER) ~= CONNECTION then return 'STALE' end
  return epoch[2] == '1' and 'OPEN' or 'CLOSED', tonumber(epoch[3]), tonumber(epoch[4])
end

-- A client's slots, over all servers and on this one. Hashes lose what is zero.
local function count(client, server, more)
  if redis.call('HINCRBY', P .. 'counts', client, more) <= 0 then
    redis.call('HDEL', P .. 'counts', client)
  end
  local field = client .. ' ' .. server
  if redis.call('HINCRBY', P .. 'shares', field, more) <= 0 then
    redis.call('HDEL', P .. 'shares', field)
  end
end

-- Count a slot, whatever the limit; nothing when it is counted already.
local function put(server, client, channel)
  if redis.call('HSETNX', P .. 'on:' .. server, channel, client) == 1 then
    count(client, server, 1)
    redis.call('SADD', P .. 'servers', server)
  end
end
