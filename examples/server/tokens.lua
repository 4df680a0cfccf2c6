-- Signs, and checks what was signed: each thread keeps the tokens that it got, from before the key changed too.
-- What `done` asks of a thread has to be global.
local threads, tokens, next_token, asked = {}, {}, 0, false
checked, refused = 0, 0

function setup(thread)
  table.insert(threads, thread)
end

function request()
  asked = not asked
  if asked or #tokens == 0 then
    return wrk.format("GET", "/sign/a-text")
  end
  next_token = next_token % #tokens + 1
  return wrk.format("GET", "/check/" .. tokens[next_token])
end

function response(status, headers, body)
  if status ~= 200 then
    refused = refused + 1
  elseif body == "a-text" then
    checked = checked + 1
  elseif #tokens < 5000 then
    tokens[#tokens + 1] = body
  elseif math.random(100) == 1 then
    tokens[math.random(#tokens)] = body
  end
end

function done(summary, latency, requests)
  local all, failed = 0, 0
  for _, thread in ipairs(threads) do
    all = all + thread:get("checked")
    failed = failed + thread:get("refused")
  end
  print("tokens checked: " .. all .. ", refused: " .. failed)
end
