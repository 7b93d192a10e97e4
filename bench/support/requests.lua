-- wrk's requests: a thousand users in turns, made once. Arguments: path, number of services (0: the path alone),
-- bytes of a body (0: GET).
local requests = {}
local turn = 0

init = function(args)
  local path, services, body_bytes = args[1], tonumber(args[2]), tonumber(args[3])
  local users = body_bytes > 0 and 20 or 1000
  local body = body_bytes > 0 and string.rep("x", body_bytes) or nil
  for user = 1, users do
    local target = path
    -- A step that has no common factor with the counts in use, so that the services are spread over the table.
    if services > 0 then target = "/service-" .. (user * 7919 % services) .. "/items/" .. user end
    local fields = { ["x-user-id"] = "user-" .. user, ["accept"] = "application/json" }
    requests[user] = wrk.format(body and "POST" or "GET", target, fields, body)
  end
end

request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
