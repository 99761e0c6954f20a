-- What one worker wishes in one turn of its loop. ARGV[4]: microseconds that turns may be given
-- ahead; [5]: that a client's line of turns may be long; [6]: of one window; then the wishes:
--   f server channel                       free a slot
--   p server client channel                count a slot, whatever the limit
--   t server client channel limit step     take a slot; step: microseconds between turns, 0: none
--   n client step                          the next turn
-- Answers the state, the clock, the era and a word for each t and n: C (closed), G (granted), F (no
-- slot), F and microseconds (no turn so soon), L and microseconds (the next turn is so far off), T
-- and the turn's time by this clock.
local state, era, era_at = judge()
if not era then return state end
local AHEAD, LINE, WINDOW = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
-- A slot was granted and its turn not asked for: after this long it is not coming any more.
local LINE_AGES = 500000
local now, open = ask_clock(), state == 'OPEN'
local out, owners, gates, freed = {state, digits(now), era}, {}, {}, {}

local function owner(server)
  if owners[server] == nil then
    owners[server] = redis.call('HGET', P .. 'leases', server) or false
  end
  return owners[server]
end

-- A client's last turn, and how many hold a slot and will ask for theirs.
local function gate(client, step)
  local g = gates[client]
  if not g then
    g = {last = 0, line = 0, at = now}
    local kept = redis.call('HGET', P .. 'turns', client)
    if kept then
      local last, of, line, at = string.match(kept, '(%d+) (%d+) (%d+) (%d+)')
      g.last, g.at = tonumber(last), tonumber(at)
      if now >= g.at and now - g.at < LINE_AGES then g.line = tonumber(line) end
      if tonumber(of) ~= era then
        -- The clock was set: turns of before it end AHEAD behind it at the latest.
        g.last, g.line = era_at + AHEAD + WINDOW - step, 0
      end
    end
    gates[client] = g
  end
  return g
end

local function free(server, channel)
  local client = redis.call('HGET', P .. 'on:' .. server, channel)
  if not client then return end
  redis.call('HDEL', P .. 'on:' .. server, channel)
  if redis.call('HINCRBY', P .. 'counts', client, -1) <= 0 then
    redis.call('HDEL', P .. 'counts', client)
  end
  if redis.call('SREM', P .. 'wanted', client) == 1 then freed[#freed + 1] = client end
end

local function take(server, client, channel, limit, step)
  if not open or owner(server) ~= WORKER then return 'C' end
  local on = P .. 'on:' .. server
  local holder = redis.call('HGET', on, channel)
  if holder then return holder == client and 'G' or 'C' end
  if tonumber(redis.call('HGET', P .. 'counts', client) or 0) >= limit then
    redis.call('SADD', P .. 'wanted', client)
    return 'F'
  end
  if step > 0 then
    local g = gate(client, step)
    local wait = math.max(g.last + step, now) + step * g.line - now - LINE
    if wait > 0 then return 'F' .. digits(wait) end
    g.line, g.at, g.changed = g.line + 1, now, true
  end
  redis.call('HSET', on, channel, client)
  redis.call('HINCRBY', P .. 'counts', client, 1)
  return 'G'
end

local function turn(client, step)
  if not open then return 'C' end
  local g = gate(client, step)
  local at = math.max(g.last + step, now)
  if at - now > AHEAD then return 'L' .. digits(at - now) end
  g.last, g.line, g.at, g.changed = at, math.max(g.line - 1, 0), now, true
  return 'T' .. digits(at)
end

local i = 7
while i <= #ARGV do
  local wish = ARGV[i]
  if wish == 'f' then
    free(ARGV[i + 1], ARGV[i + 2])
    i = i + 3
  elseif wish == 'p' then
    put(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
    i = i + 4
  elseif wish == 't' then
    out[#out + 1] = take(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4]),
                         tonumber(ARGV[i + 5]))
    i = i + 6
  else
    out[#out + 1] = turn(ARGV[i + 1], tonumber(ARGV[i + 2]))
    i = i + 3
  end
end

for client, g in pairs(gates) do
  if g.changed then
    redis.call('HSET', P .. 'turns', client,
               digits(g.last) .. ' ' .. era .. ' ' .. g.line .. ' ' .. digits(g.at))
  end
end
if #freed > 0 then redis.call('PUBLISH', CHANNEL, 'C ' .. table.concat(freed, ' ')) end
return table.concat(out, ' ')
