-- wrk: a thousand users in turns, the requests made once.
local requests = {}
local next_user = 0
init = function()
  for user = 1, 1000 do
    requests[user] = wrk.format("GET", "/api/items", { ["x-user-id"] = "user-" .. user, ["accept"] = "application/json" })
  end
end
request = function()
  next_user = next_user % 1000 + 1
  return requests[next_user]
end
