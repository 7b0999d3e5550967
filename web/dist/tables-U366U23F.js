import{d as b}from"./chunk-V5KZCUB3.js";function e(){return b("p",{children:"Tables"})}export{e as Tables};
