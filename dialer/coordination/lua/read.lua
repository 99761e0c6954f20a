-- ARGV[4]: a hash ('counts', 'on:SERVER'). Answers its fields and values, a line each.
local state, era = judge()
if not era then return state end
return state .. '\n' .. table.concat(redis.call('HGETALL', P .. ARGV[4]), '\n')
