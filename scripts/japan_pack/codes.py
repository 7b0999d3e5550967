"""Codes of the pack and of its sources."""

from shared_pack.tables import assumption

SEX = {"Male": "男", "Female": "女"}
SEXES = ["男", "女"]
MARITAL = {"never_married": "未婚", "married": "既婚", "divorced": "離別", "widowed": "死別"}
LABOUR = {"employed": "就業者", "unemployed": "完全失業者", "not_in_workforce": "非労働力人口"}
EDUCATION = ["中学卒", "高校卒", "短大卒", "高専卒", "大学卒 文系", "大学卒 理系", "大学院卒 文系", "大学院卒 理系"]
EMPLOYMENT = ["正社員・正職員", "契約・派遣社員", "パート・アルバイト", "公務員", "会社役員", "自営業主", "家族従業者"]
# Regular employees of firms of ten and more: the universe of the Basic Survey on Wage Structure.
EMPLOYMENT6 = {"正社員・正職員": "regular", "契約・派遣社員": "regular", "パート・アルバイト": "part_time", "公務員": "public",
               "会社役員": "officer", "自営業主": "self", "家族従業者": "family"}
LETTERS = {"regular": "rc", "part_time": "t", "public": "g", "officer": "o", "self": "s", "family": "f"}
GROUPS = {"administrative_managerial": "管理的職業", "professional_engineering": "専門的・技術的職業", "clerical": "事務",
          "sales": "販売", "service": "サービス職業", "security": "保安職業", "agriculture_forestry_fishery": "農林漁業",
          "manufacturing_process": "生産工程", "transport_machine_operation": "輸送・機械運転",
          "construction_mining": "建設・採掘", "carrying_cleaning_packaging": "運搬・清掃・包装等"}
INDUSTRIES = ["農業、林業", "漁業", "鉱業、採石業、砂利採取業", "建設業", "製造業", "電気・ガス・熱供給・水道業", "情報通信業",
              "運輸業、郵便業", "卸売業、小売業", "金融業、保険業", "不動産業、物品賃貸業",
              "学術研究、専門・技術サービス業", "宿泊業、飲食サービス業", "生活関連サービス業、娯楽業", "教育、学習支援業",
              "医療、福祉", "複合サービス事業", "サービス業（他に分類されないもの）", "公務"]
SECTORS = {"primary": INDUSTRIES[:2], "secondary": INDUSTRIES[2:5], "tertiary": INDUSTRIES[5:]}
BROAD = ["15-64", "65-74", "75+"]


def prefectures():
    """{romanised name: row of assumptions/prefectures.csv}, in the official order."""
    return {r["romaji"]: r for r in assumption("prefectures.csv")}


def at(table, age):
    """The value of a {first age: value} table that holds at an age."""
    return table[max(k for k in table if k <= age)]


def published(occupation):
    """An occupation's title with full-width brackets and without the commas of CSV."""
    return occupation.replace(",", "、").replace("(", "（").replace(")", "）")
