-- The clock of this machine was set, somebody saw. ARGV[4]: the era that it was seen in; a new one
-- begins, in which every client's turns wait until those of the old one have gone by.
local state, era = judge()
if era == tonumber(ARGV[4]) then
  redis.call('HSET', P .. 'epoch', 'era', era + 1, 'era_at', digits(ask_clock()))
end
return state
