-- What one worker wishes in one turn of its loop. ARGV[4]: microseconds that turns may be given
-- ahead; [5]: that a client's line of turns may be long; [6]: of one window; then the wishes:
--   f server channel                       free a slot; nothing where another has the server: it
--                                          may have called under that id again
--   p server client channel                count a slot, whatever the limit; as f
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
-- A server that was refused a client's slot and did not ask again for this long wants none.
local WAIT_AGES = 400000
local out, owners, gates, lines, freed = {state, digits(now), era}, {}, {}, {}, {}

local function owner(server)
  if owners[server] == nil then
    owners[server] = redis.call('HGET', P .. 'leases', server) or false
  end
  return owners[server]
end

local function anothers(server)
  return owner(server) and owner(server) ~= WORKER
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

-- The servers that wait for a slot of a client: since when, and when they last asked.
local function line(client)
  local l = lines[client]
  if not l then
    l = {waiting = {}}
    local kept = redis.call('HGET', P .. 'waits', client)
    for server, since, seen in string.gmatch(kept or '', '(%d+):(%d+):(%d+)') do
      local age = now - seen
      if age >= 0 and age < WAIT_AGES then
        l.waiting[server] = {since = tonumber(since), seen = tonumber(seen)}
      else
        l.changed = true
      end
    end
    lines[client] = l
  end
  return l
end

local function wait_in(client, server)
  local l = line(client)
  local since = l.waiting[server] and l.waiting[server].since or now
  l.waiting[server], l.changed = {since = since, seen = now}, true
  redis.call('SADD', P .. 'wanted', client)
  return 'F'
end

local function share(client, server)
  return tonumber(redis.call('HGET', P .. 'shares', client .. ' ' .. server) or 0)
end

-- Whether another server that waits has fewer of the client's slots, or as many and waits longer:
-- else whoever frees one would take it again, and the others never had any.
local function yields(client, server)
  local waiting = line(client).waiting
  if not next(waiting) then return false end
  local mine, own = share(client, server), waiting[server]
  for other, w in pairs(waiting) do
    if other ~= server then
      local theirs = share(client, other)
      if theirs < mine then return true end
      if theirs == mine and (not own or w.since < own.since
                             or (w.since == own.since and other < server)) then return true end
    end
  end
  return false
end

local function tell_room(client)
  if redis.call('SREM', P .. 'wanted', client) == 1 then freed[client] = true end
end

-- What this request freed it took again: nobody need be woken, and all still want one.
local function keep_room(client)
  if freed[client] then
    freed[client] = nil
    redis.call('SADD', P .. 'wanted', client)
  end
end

local function stop_waiting(client, server)
  local l = line(client)
  if l.waiting[server] then l.waiting[server], l.changed = nil, true end
end

local function free(server, channel)
  if anothers(server) then return end
  local client = redis.call('HGET', P .. 'on:' .. server, channel)
  if not client then return end
  redis.call('HDEL', P .. 'on:' .. server, channel)
  count(client, server, -1)
  tell_room(client)
end

local function take(server, client, channel, limit, step)
  if not open or owner(server) ~= WORKER then return 'C' end
  local on = P .. 'on:' .. server
  local holder = redis.call('HGET', on, channel)
  if holder then return holder == client and 'G' or 'C' end
  local held = tonumber(redis.call('HGET', P .. 'counts', client) or 0)
  if held >= limit or yields(client, server) then return wait_in(client, server) end
  if step > 0 then
    local g = gate(client, step)
    local wait = math.max(g.last + step, now) + step * g.line - now - LINE
    if wait > 0 then
      stop_waiting(client, server)
      return 'F' .. digits(wait)
    end
    g.line, g.at, g.changed = g.line + 1, now, true
  end
  redis.call('HSET', on, channel, client)
  count(client, server, 1)
  stop_waiting(client, server)
  if held + 1 >= limit then
    keep_room(client)
  elseif next(line(client).waiting) then
    tell_room(client)  -- one that gave way may have the next
  end
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
    if not anothers(ARGV[i + 1]) then put(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]) end
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
for client, l in pairs(lines) do
  if l.changed then
    local words = {}
    for server, w in pairs(l.waiting) do
      words[#words + 1] = server .. ':' .. digits(w.since) .. ':' .. digits(w.seen)
    end
    if #words > 0 then
      redis.call('HSET', P .. 'waits', client, table.concat(words, ' '))
    else
      redis.call('HDEL', P .. 'waits', client)
    end
  end
end
local told = {}
for client in pairs(freed) do told[#told + 1] = client end
if #told > 0 then redis.call('PUBLISH', CHANNEL, 'C ' .. table.concat(told, ' ')) end
return table.concat(out, ' ')
