mock_provider "databricks" {}

variables {
  workspace_folder = "/Shared/gauntlet"
  volume_path      = "/Volumes/main/wine_quality/files"
  data_folder      = "tests/files/data"
}

run "data_files_are_uploaded_by_the_plan_and_not_by_hand" {
  command = plan

  assert {
    condition = tomap(output.data_files) == tomap({
      "red.csv"   = "/Volumes/main/wine_quality/files/data/red.csv"
      "white.csv" = "/Volumes/main/wine_quality/files/data/white.csv"
    })
    error_message = "Each CSV file is uploaded; notes.txt does not match data_pattern."
  }
  assert {
    condition     = databricks_file.data["red.csv"].source == "tests/files/data/red.csv"
    error_message = "What is uploaded is the file of that name."
  }
  assert {
    condition     = output.data_path == "/Volumes/main/wine_quality/files/data"
    error_message = "The pipeline is told where its data lie by GAUNTLET_DATA_DIR."
  }
}

run "pattern_chooses_the_files" {
  command = plan
  variables {
    data_pattern = "red.*"
  }

  assert {
    condition     = keys(databricks_file.data) == ["red.csv"]
    error_message = "The pattern names one file."
  }
}

run "suites_and_wheels_have_folders_of_their_own" {
  command = plan
  variables {
    suites_folder = "tests/files/suites"
    wheels_folder = "tests/files/wheels"
  }

  assert {
    condition     = output.suite_files["wine/raw.json"] == "/Volumes/main/wine_quality/files/suites/wine/raw.json"
    error_message = "Suites keep their folders, by which the problem file names them."
  }
  assert {
    condition     = output.wheel_files["gauntlet_mlops-0.1.0-py3-none-any.whl"] == "/Volumes/main/wine_quality/files/wheels/gauntlet_mlops-0.1.0-py3-none-any.whl"
    error_message = "A wheel keeps its name, which pip reads."
  }
}

run "nothing_is_uploaded_unasked" {
  command = plan
  variables {
    data_folder = null
  }

  assert {
    condition     = length(databricks_file.data) + length(databricks_file.suite) + length(databricks_file.wheel) == 0 && output.data_path == null
    error_message = "No folder was given."
  }
}
