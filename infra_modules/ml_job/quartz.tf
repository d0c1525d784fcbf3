# The form of a Quartz expression, which the provider does not check: an unusable one fails only at the workspace.
locals {
  quartz_values = {
    second  = "[0-5]?[0-9]"
    minute  = "[0-5]?[0-9]"
    hour    = "(?:[01]?[0-9]|2[0-3])"
    day     = "(?:0?[1-9]|[12][0-9]|3[01])"
    month   = "(?:0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
    weekday = "(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)"
    year    = "20[0-9]{2}"
  }

  # A value, a range or all of them, each perhaps with a step; several after commas.
  quartz_item = { for field, value in local.quartz_values : field => "(?:\\*|${value}(?:-${value})?)(?:/[0-9]{1,2})?" }
  quartz_list = { for field, item in local.quartz_item : field => "${item}(?:,${item})*" }

  quartz_day     = "(?:\\?|L(?:-[0-9]{1,2})?W?|${local.quartz_values.day}W|${local.quartz_list.day})"
  quartz_weekday = "(?:\\?|L|${local.quartz_values.weekday}(?:L|#[1-5])|${local.quartz_list.weekday})"

  quartz = join("", [
    "^${local.quartz_list.second} ${local.quartz_list.minute} ${local.quartz_list.hour} ",
    "${local.quartz_day} ${local.quartz_list.month} ${local.quartz_weekday}(?: ${local.quartz_list.year})?$",
  ])
}
